"""Connections to one origin: kept while idle, the latest used first; every one of them watched by the sweep."""

from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from agentgateway.wire.connection import Connection
from agentgateway.wire.errors import ConnectFailed, ConnectTimeout


@attrs.frozen
class ClientLimits:
    """Seconds, and how many idle connections an origin keeps."""

    connect_timeout: float = 10.0
    response_timeout: float = 600.0
    silence_timeout: float = 300.0
    idle_timeout: float = 60.0
    max_idle: int = 512


class Pool:
    """The connections to one origin."""

    def __init__(
        self, endpoint: IStreamClientEndpoint, secure: bool, limits: ClientLimits, now: Callable[[], float]
    ) -> None:
        self._endpoint = endpoint
        self._secure = secure
        self._now = now
        self.limits = limits
        self._idle: deque[Connection] = deque()
        self.connections: set[Connection] = set()
        self._connecting: dict[Deferred[Connection], float] = {}

    def take(self) -> Connection | None:
        """An idle connection, or None."""
        return self._idle.pop() if self._idle else None

    def connect(self) -> "Deferred[Connection]":
        """A new connection; fails with ConnectFailed or ConnectTimeout, which also bounds the name's lookup and TLS."""
        factory = ClientFactory.forProtocol(lambda: Connection(self))
        factory.noisy = False
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        self._connecting[connecting] = self._now() + self.limits.connect_timeout
        connecting.addCallback(self._opened)
        return connecting.addCallbacks(self._connected, self._not_connected, (connecting,), {}, (connecting,))

    def _opened(self, connection: Connection) -> "Connection | Deferred[Connection]":
        self.connections.add(connection)
        if not self._secure:
            return connection
        connection.secured = Deferred(lambda _: connection.abort())
        return connection.secured

    def _connected(self, connection: Connection, connecting: "Deferred[Connection]") -> Connection:
        self._connecting.pop(connecting, None)
        return connection

    def _not_connected(self, failure: Failure, connecting: "Deferred[Connection]") -> Failure:
        deadline = self._connecting.pop(connecting, None)
        if failure.check(CancelledError) and deadline is None:
            return Failure(ConnectTimeout(f"no connection within {self.limits.connect_timeout:g} s"))
        if failure.check(CancelledError):
            return failure  # the caller left
        return Failure(ConnectFailed(f"no connection: {type(failure.value).__name__}"))

    def release(self, connection: Connection) -> None:
        """Its response is complete and it can be used again."""
        connection.since = self._now()
        self._idle.append(connection)
        if len(self._idle) > self.limits.max_idle:
            self._idle.popleft().abort()

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        self.connections.discard(connection)
        self.retire(connection)

    def retire(self, connection: Connection) -> None:
        """It must not be used again."""
        try:
            self._idle.remove(connection)
        except ValueError:
            pass

    def sweep(self, now: float) -> None:
        """Once a second: connecting, waiting and idling for too long."""
        for connecting, deadline in list(self._connecting.items()):
            if now >= deadline:
                del self._connecting[connecting]
                connecting.cancel()
        while self._idle and now - self._idle[0].since >= self.limits.idle_timeout:
            self._idle[0].abort()
        for connection in list(self.connections):
            connection.sweep(now)

    def close(self) -> None:
        """Close everything, also what is under way."""
        for connecting in list(self._connecting):
            connecting.cancel()
        for connection in list(self.connections):
            connection.abort()

    @property
    def counts(self) -> tuple[int, int]:
        """(open, idle) connections."""
        return len(self.connections), len(self._idle)
