"""An `IAgent` over llhttp: what a proxy needs of an HTTP client, and nothing it must not do.

No redirects, cookies, decoding or retries, but one: a kept-alive connection that turns out to have been closed before a
byte of the answer came is replaced by a fresh one, once, if the body can be sent again. A close that comes later than
`STALE_WITHIN` after the request was sent is not a stale connection's: the upstream may have done (and billed) the work.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.web.client import URI
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from agentgateway.wire.body import WholeBody
from agentgateway.wire.errors import UpstreamBroken
from agentgateway.wire.headers import pairs_of, serialise
from agentgateway.wire.pool import ClientLimits, Pool
from agentgateway.wire.response import Response

STALE_WITHIN = 3.0
MAX_ORIGINS = 64

MakeEndpoint = Callable[[URI], IStreamClientEndpoint]


@implementer(IAgent)
class Agent:
    """HTTP/1.1 client with a connection pool for each origin; `sweep` wants to be called once a second."""

    def __init__(self, reactor: IReactorTime, make_endpoint: MakeEndpoint, limits: ClientLimits) -> None:
        self._now = reactor.seconds
        self._make_endpoint = make_endpoint
        self._limits = limits
        self._pools: dict[bytes, Pool] = {}

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> "Deferred[IResponse]":
        """Send a request to the absolute `uri`; fires when the response's head is here.

        `headers` go as they are, without Content-Length and Transfer-Encoding, which the body decides; Host is put in
        where it is missing. Fails with ConnectFailed, ConnectTimeout, HeadTimeout, UpstreamBroken, or what the body
        producer failed with. Cancelling closes the connection at once.
        """
        slash = uri.find(b"/", 8)
        origin, target = (uri, b"/") if slash < 0 else (uri[:slash], uri[slash:])
        pool = self._pools.get(origin) or self._open_pool(origin)
        head = _head(method, target, origin, headers, bodyProducer)
        return Deferred.fromCoroutine(self._request(pool, head, bodyProducer, method == b"HEAD"))

    def _open_pool(self, origin: bytes) -> Pool:
        if len(self._pools) >= MAX_ORIGINS:
            raise ValueError(f"more than {MAX_ORIGINS} origins")
        parsed = URI.fromBytes(origin)
        pool = Pool(self._make_endpoint(parsed), parsed.scheme == b"https", self._limits, self._now)
        self._pools[origin] = pool
        return pool

    async def _request(self, pool: Pool, head: bytes, body: IBodyProducer | None, head_only: bool) -> Response:
        connection = pool.take()
        if connection is not None:
            sent_at = self._now()
            try:
                return await connection.send(head, body, head_only, sent_at)
            except UpstreamBroken as broken:
                if not self._stale(broken, body, sent_at):
                    raise
        connection = await pool.connect()
        return await connection.send(head, body, head_only, self._now())

    def _stale(self, broken: UpstreamBroken, body: IBodyProducer | None, sent_at: float) -> bool:
        again = body is None or isinstance(body, WholeBody)
        return broken.untouched and again and self._now() - sent_at < STALE_WITHIN

    def sweep(self) -> None:
        """Once a second: time-outs, idle connections, and origins that nobody calls any more."""
        now = self._now()
        for origin, pool in list(self._pools.items()):
            pool.sweep(now)
            if pool.counts == (0, 0):
                del self._pools[origin]

    def close(self) -> None:
        """Close all connections, what is under way included."""
        for pool in list(self._pools.values()):
            pool.close()

    @property
    def counts(self) -> tuple[int, int]:
        """(open or opening, idle) connections over all origins."""
        counts = [pool.counts for pool in self._pools.values()]
        return sum(opened for opened, _ in counts), sum(idle for _, idle in counts)


def _head(method: bytes, target: bytes, origin: bytes, headers: Headers | None, body: IBodyProducer | None) -> bytes:
    fields = list(pairs_of(headers))
    for name, _ in fields:
        if len(name) == 4 and name.lower() == b"host":
            break
    else:
        fields.insert(0, (b"Host", origin.partition(b"//")[2]))
    if body is None:
        if method in (b"POST", b"PUT", b"PATCH"):
            fields.append((b"Content-Length", b"0"))
    elif body.length == UNKNOWN_LENGTH:
        fields.append((b"Transfer-Encoding", b"chunked"))
    else:
        fields.append((b"Content-Length", b"%d" % body.length))
    return serialise(method + b" " + target + b" HTTP/1.1", fields)
