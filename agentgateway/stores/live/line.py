"""A connection to Redis that is made again whenever it is lost, and the address it goes to."""

from collections.abc import Callable, Coroutine
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import attrs
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from agentgateway.interfaces import LiveError

HANDSHAKE: Final = 1.0
"""Seconds for connecting, and as many for what is said first."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
"""Seconds before another attempt; each is twice as long as the one before."""


@attrs.frozen
class Address:
    """Where a Redis is. The password is never shown."""

    host: str
    port: int
    database: int
    username: str | None
    password: str | None = attrs.field(repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """`redis://[[user]:password@]host[:port][/database]`, with percent-encoding. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme != "redis" or not parts.hostname:
            raise ValueError("not a URL such as redis://127.0.0.1:6379")
        database = int(parts.path.removeprefix("/") or 0)
        username, password = (unquote(text) if text else None for text in (parts.username, parts.password))
        return cls(parts.hostname, parts.port or 6379, database, username, password)


@attrs.define(eq=False)
class Line:
    """Stays connected from `start` to `close`. `greet` says what must be said first, on every new connection."""

    address: Address
    reactor: Any
    make: Callable[[], Any]
    greet: Callable[[Any], Coroutine[Any, Any, None]]
    protocol: Any = None
    """The connection in use, if there is one."""
    why: str = "not connected"
    """What the last attempt failed of."""
    _keeping: Deferred[None] | None = None
    _closed: bool = False
    _early: list[Deferred[Any]] | None = attrs.Factory(list)
    """Who waits for the very first attempt; None once that is over."""

    def start(self) -> None:
        """Begin to connect."""
        self._keeping = Deferred.fromCoroutine(self._keep())
        self._keeping.addErrback(lambda failure: failure.trap(CancelledError) and None)

    def connected(self) -> Deferred[Any]:
        """The connection in use; waits only for the first attempt there is. Fails with LiveError."""
        if self.protocol is not None:
            return succeed(self.protocol)
        if self._early is None:
            return fail(LiveError(self.why))
        waiting: Deferred[Any] = Deferred()
        self._early.append(waiting)
        return waiting

    def drop(self) -> None:
        """Give the connection up, and make another."""
        if self.protocol is not None:
            self.protocol.transport.abortConnection()

    async def close(self) -> None:
        """Disconnect, for good."""
        self._closed = True
        gone = self.protocol.whenDisconnected() if self.protocol is not None else None
        if self._keeping is not None:
            self._keeping.cancel()
        if gone is not None:
            await gone

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed:
            try:
                await self._once()
                pause = FIRST_PAUSE
            except CancelledError:
                raise
            except Exception as error:
                self.why = f"{type(error).__name__}: {error}"
                pause = min(2 * pause, LONGEST_PAUSE)
            self._attempted()
            if not self._closed:
                await deferLater(self.reactor, pause)

    async def _once(self) -> None:
        """Connect, be of use until the connection is lost. Raises whatever prevents it."""
        endpoint = HostnameEndpoint(self.reactor, self.address.host, self.address.port, timeout=HANDSHAKE)
        factory = Factory.forProtocol(self.make)
        factory.noisy = False
        protocol: Any = await endpoint.connect(factory)
        gone = protocol.whenDisconnected()
        try:
            protocol.transport.setTcpNoDelay(True)
            protocol.transport.setTcpKeepAlive(True)
            await Deferred.fromCoroutine(self._introduce(protocol)).addTimeout(HANDSHAKE, self.reactor)
            self.protocol, self.why = protocol, "the connection was lost"
            self._attempted()
            await gone
        finally:
            self.protocol = None
            protocol.transport.abortConnection()

    async def _introduce(self, protocol: Any) -> None:
        address = self.address
        if address.password is not None:
            await protocol.auth(address.password, address.username)
        if address.database:
            await protocol.select(address.database)
        await self.greet(protocol)

    def _attempted(self) -> None:
        waiting, self._early = self._early or (), None
        for one in waiting:
            if self.protocol is not None:
                one.callback(self.protocol)
            else:
                one.errback(LiveError(self.why))
