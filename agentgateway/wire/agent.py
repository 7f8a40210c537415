"""An `IAgent` over llhttp: what a proxy needs of an HTTP client, and nothing it must not do.

No redirects, cookies, decoding or retries, but one: a kept-alive connection that turns out to have been closed before a
byte of the answer came is replaced by a fresh one, once, if the body can be sent again. A close that comes later than
`STALE_WITHIN` after the request was sent is not a stale connection's: the upstream may have done (and billed) the work.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from agentgateway.wire.connection import Connection
from agentgateway.wire.errors import UpstreamBroken
from agentgateway.wire.headers import RawHeaders, pairs_of
from agentgateway.wire.outbox import DIRECT, Outbox
from agentgateway.wire.outgoing import WholeBody
from agentgateway.wire.pool import ClientLimits, Pool

STALE_WITHIN = 3.0
MAX_ORIGINS = 64

MakeEndpoint = Callable[[URI], IStreamClientEndpoint]


@implementer(IAgent)
class Agent:
    """HTTP/1.1 client with a connection pool for each origin; `sweep` wants to be called once a second."""

    def __init__(
        self, reactor: IReactorTime, make_endpoint: MakeEndpoint, limits: ClientLimits, outbox: Outbox = DIRECT
    ) -> None:
        self._now = reactor.seconds
        self._make_endpoint = make_endpoint
        self._limits = limits
        self._outbox = outbox
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
        head_only = method == b"HEAD"
        connection = pool.take()
        if connection is None:
            return self._afresh(pool, head, bodyProducer, head_only)
        now = self._now()
        answer: Deferred[Any] = connection.send(head, bodyProducer, head_only, now)
        return answer.addErrback(self._once_more, pool, head, bodyProducer, head_only, now)

    def _afresh(self, pool: Pool, head: bytes, body: IBodyProducer | None, head_only: bool) -> "Deferred[Any]":
        def connected(connection: Connection) -> Any:
            return connection.send(head, body, head_only, self._now())

        return pool.connect().addCallback(connected)

    def _once_more(
        self, failure: Failure, pool: Pool, head: bytes, body: IBodyProducer | None, head_only: bool, sent_at: float
    ) -> Any:
        """A kept-alive connection failed: send again on a fresh one, if that is safe."""
        untouched = isinstance(failure.value, UpstreamBroken) and failure.value.untouched
        again = body is None or isinstance(body, WholeBody)
        if untouched and again and self._now() - sent_at < STALE_WITHIN:
            return self._afresh(pool, head, body, head_only)
        return failure

    def _open_pool(self, origin: bytes) -> Pool:
        if len(self._pools) >= MAX_ORIGINS:
            raise ValueError(f"more than {MAX_ORIGINS} origins")
        parsed = URI.fromBytes(origin)
        pool = Pool(self._make_endpoint(parsed), parsed.scheme == b"https", self._limits, self._now, self._outbox)
        self._pools[origin] = pool
        return pool

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
    if b"\n" in target or b"\r" in target:
        raise ValueError("a target with a line break in it")
    fields = headers if isinstance(headers, RawHeaders) else RawHeaders(pairs_of(headers))
    pairs = fields.pairs()
    host = b"" if (pairs and pairs[0][0] == b"Host") or b"host" in fields.lowered else _host(origin)
    return b"%b %b HTTP/1.1\r\n%b%b%b\r\n" % (method, target, host, fields.block, _framing(method, body))


def _host(origin: bytes) -> bytes:
    return b"Host: %b\r\n" % origin.partition(b"//")[2]


def _framing(method: bytes, body: IBodyProducer | None) -> bytes:
    """The line that says where the body ends, if there is to be any."""
    if body is None:
        return b"Content-Length: 0\r\n" if method in (b"POST", b"PUT", b"PATCH") else b""
    if body.length == UNKNOWN_LENGTH:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Content-Length: %d\r\n" % body.length
