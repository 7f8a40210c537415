"""Connections to one origin: kept while idle, the latest used first; every one of them watched by the sweep."""

from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
from OpenSSL.SSL import Error as TLSError
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from agentgateway.wire.connection import Connection
from agentgateway.wire.errors import ConnectFailed, ConnectTimeout
from agentgateway.wire.outbox import DIRECT, Outbox


@attrs.frozen
class ClientLimits:
    """Seconds, and how many idle connections an origin keeps."""

    connect_timeout: float = 10.0
    response_timeout: float = 600.0
    silence_timeout: float = 300.0
    idle_timeout: float = 60.0
    max_idle: int = 512


@attrs.frozen(slots=True)
class Attempt:
    """A connection on its way: what the endpoint gave, and until when it may take."""

    connecting: Deferred[Any]
    deadline: float


class Pool:
    """The connections to one origin."""

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        secure: bool,
        limits: ClientLimits,
        now: Callable[[], float],
        outbox: Outbox = DIRECT,
    ) -> None:
        self._endpoint = endpoint
        self._secure = secure
        self.now = now
        self.outbox = outbox
        self.limits = limits
        self._idle: deque[Connection] = deque()
        self.connections: set[Connection] = set()
        self._attempts: dict[Deferred[Connection], Attempt] = {}

    def take(self) -> Connection | None:
        """An idle connection, or None."""
        return self._idle.pop() if self._idle else None

    def connect(self) -> "Deferred[Connection]":
        """A new connection; fails with ConnectFailed or ConnectTimeout, which also bounds the name's lookup and TLS."""
        factory = ClientFactory.forProtocol(lambda: Connection(self))
        factory.noisy = False
        done: Deferred[Connection] = Deferred(self._give_up)
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        self._attempts[done] = Attempt(connecting, self.now() + self.limits.connect_timeout)
        connecting.addCallback(self._opened)
        connecting.addCallbacks(self._connected, self._not_connected, (done,), {}, (done,))
        return done

    def _opened(self, connection: Connection) -> "Connection | Deferred[Connection]":
        if not self._secure:
            return connection
        connection.secured = Deferred(lambda _: connection.abort())
        return connection.secured

    def _connected(self, connection: Connection, done: "Deferred[Connection]") -> None:
        del self._attempts[done]
        self.connections.add(connection)
        done.callback(connection)

    def _not_connected(self, failure: Failure, done: "Deferred[Connection]") -> None:
        if self._attempts.pop(done, None) is not None:
            kind = ConnectTimeout if failure.check(TimeoutError) else ConnectFailed
            done.errback(kind(f"no connection: {reason_of(failure.value)}"))

    def _give_up(self, done: "Deferred[Connection]") -> None:
        attempt = self._attempts.pop(done, None)
        if attempt is not None:
            attempt.connecting.cancel()

    def release(self, connection: Connection) -> None:
        """Its response is complete and it can be used again."""
        connection.since = self.now()
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
        for done, attempt in list(self._attempts.items()):
            if now >= attempt.deadline:
                self._give_up(done)
                done.errback(ConnectTimeout(f"no connection within {self.limits.connect_timeout:g} s"))
        while self._idle and now - self._idle[0].since >= self.limits.idle_timeout:
            self._idle[0].abort()
        for connection in list(self.connections):
            connection.sweep(now)

    def close(self) -> None:
        """Close everything, also what is under way."""
        for done in list(self._attempts):
            self._give_up(done)
            done.errback(ConnectFailed("the connection was closed on this side"))
        for connection in list(self.connections):
            connection.close()

    @property
    def counts(self) -> tuple[int, int]:
        """(open or opening, idle) connections."""
        return len(self.connections) + len(self._attempts), len(self._idle)


def reason_of(error: BaseException | None) -> str:
    """Why there is no connection, in words that hold nothing a peer sent."""
    if isinstance(error, VerificationError):
        return "the certificate is not for this host"
    if isinstance(error, TLSError):
        # OpenSSL's own words for its error codes: [(library, function, reason), ...]
        reasons = error.args[0] if error.args else ()
        return f"TLS: {reasons[-1][2]}" if reasons else "TLS failed"
    if isinstance(error, DNSLookupError):
        return "the name has no address"
    if isinstance(error, ConnectError):
        return str(type(error).__doc__ or type(error).__name__)
    return type(error).__name__
