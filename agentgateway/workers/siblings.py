"""Asking the other workers of this gateway, each on its own management socket, in the words of the management API.

Whoever does not answer soon (it is about to start, or to stop, or hangs) is left out: what is shown is then of the others.
"""

import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any, Final, NamedTuple

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, gatherResults
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    FileBodyProducer,
    HTTPConnectionPool,
    ResponseFailed,
    ResponseNeverReceived,
    readBody,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from agentgateway.config.schema import Secret
from agentgateway.workers.place import Place

PATIENCE: Final = 1.0
"""Seconds that they have to answer, unless somebody has less time."""
AGAIN: Final = 0.2
"""Seconds between two attempts to follow one that is away."""
MISSED: Final = 1_000
"""Records that one who was away is asked for, of those it has written meanwhile."""
_AWAY = (ConnectError, ConnectionClosed, ResponseFailed, ResponseNeverReceived, CancelledError, OSError)


Take = Callable[[int, bytes | None], None]


class Reply(NamedTuple):
    """What worker `number` has answered."""

    number: int
    status: int
    body: bytes


@implementer(IAgentEndpointFactory)
class _Sockets:
    """Takes the host of a URL for a worker's number."""

    def __init__(self, reactor: Any, place: Place) -> None:
        self._reactor, self._place = reactor, place

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        """The socket of that worker."""
        return _Quiet(UNIXClientEndpoint(self._reactor, self._place.control_of(int(uri.host))))


@implementer(IStreamClientEndpoint)
class _Quiet:
    """Does not log each connection."""

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    def connect(self, factory: Any) -> "Deferred[Any]":
        """As the endpoint does."""
        factory.noisy = False
        connected: Deferred[Any] = self._endpoint.connect(factory)
        return connected


class Siblings:
    """The other workers; `count` says how many there are in all, this one included. `token` is the admin token."""

    def __init__(self, place: Place, count: Callable[[], int], token: Secret, reactor: Any) -> None:
        self._place = place
        self._count = count
        self._reactor = reactor
        self._headers = Headers({"Authorization": [f"Bearer {token.value}"], "Content-Type": ["application/json"]})
        pool = HTTPConnectionPool(reactor)
        pool.retryAutomatically = False
        self._agent = Agent.usingEndpointFactory(reactor, _Sockets(reactor, place), pool)
        self._pool = pool

    @property
    def own(self) -> int:
        """This worker's number."""
        return self._place.number

    @property
    def others(self) -> list[int]:
        """The numbers of the others."""
        return [number for number in range(self._count()) if number != self.own]

    async def ask(self, method: bytes, target: bytes, patience: float = PATIENCE) -> list[Reply]:
        """What the others answer, as many as do within `patience` seconds."""
        asked = [ensureDeferred(self._within(patience, number, method, target, b"")) for number in self.others]
        return [reply for reply in await gatherResults(asked) if reply is not None]

    async def ask_one(self, number: int, method: bytes, target: bytes, body: bytes = b"") -> Reply | None:
        """What one answers; None where it does not, in time."""
        return await self._within(PATIENCE, number, method, target, body)

    async def _within(self, patience: float, number: int, method: bytes, target: bytes, body: bytes) -> Reply | None:
        work = ensureDeferred(self._ask(number, method, target, body))
        return await work.addTimeout(patience, self._reactor, lambda _, __: None).addErrback(_away)

    async def _ask(self, number: int, method: bytes, target: bytes, body: bytes) -> Reply:
        response = await self._request(number, method, target, body)
        return Reply(number, response.code, await readBody(response))

    def _request(self, number: int, method: bytes, target: bytes, body: bytes = b"") -> "Deferred[Any]":
        producer = FileBodyProducer(BytesIO(body)) if body else None
        asked: Deferred[Any] = self._agent.request(method, b"http://%d%b" % (number, target), self._headers, producer)
        return asked

    def follow(self, target: bytes, take: Take) -> Callable[[], None]:
        """See `interfaces.Siblings.follow`. `target` has a query. Who was away is asked for what it wrote meanwhile."""
        followed = [ensureDeferred(self._follow(number, target, take)) for number in self.others]
        for each in followed:
            each.addErrback(_away)

        def stop() -> None:
            for each in followed:
                each.cancel()

        return stop

    async def _follow(self, number: int, target: bytes, take: Take) -> None:
        missed = b"&limit=0"
        while True:
            try:
                response = await self._request(number, b"GET", target + missed)
                await _lines(response, partial(take, number))
            except CancelledError:
                raise
            except _AWAY:
                pass
            take(number, None)
            missed = b"&limit=%d&since=%.3f" % (MISSED, time.time())
            await deferLater(self._reactor, AGAIN)

    def close(self) -> "Deferred[None]":
        """Let go of the connections."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


def _away(failure: Failure) -> None:
    failure.trap(*_AWAY)


def _lines(response: Any, take: Callable[[bytes], None]) -> "Deferred[None]":
    """Give `take` the lines of a body; fires at its end."""
    over: Deferred[None] = Deferred(lambda _: lines.transport.loseConnection())
    lines = _Lines(take, over)
    response.deliverBody(lines)
    return over


class _Lines(Protocol):
    """Cuts a body into lines."""

    transport: Any

    def __init__(self, take: Callable[[bytes], None], over: "Deferred[None]") -> None:
        self._take, self._over = take, over
        self._begun = b""

    def dataReceived(self, data: bytes) -> None:
        """Some lines, and the begin of the next one."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._take(line)

    def connectionLost(self, reason: Any = None) -> None:
        """All there was."""
        if not self._over.called:
            self._over.callback(None)
