"""Connections to PostgreSQL in threads of their own, through Twisted's adbapi: the reactor never waits for them.

Whatever fails closes its connection: the next work gets a new one, made fit for use first. Work that takes too long, because
the server stands still or the network swallows everything, has its socket shut under it, which ends it at once.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

import attrs
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from agentgateway.interfaces import StoreError
from agentgateway.stores.history.schema import Row, prepare

P = ParamSpec("P")
T = TypeVar("T")
Connection = psycopg.Connection[Row]

DEFAULTS: Final = {
    "application_name": "agentgateway",
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""What the address may say otherwise."""
_PORTS: Final = re.compile(r"[\d,]*")
LONGEST_TEXT: Final = 300
"""Characters of a message that are shown."""


class ISessions(Protocol):
    """Runs work on a connection, each piece a transaction."""

    def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Fires with what `work` gives, when that is committed; else fails, with StoreError for the database's reasons."""

    def sweep(self) -> None:
        """End what takes too long; to be called every second."""

    def cut(self) -> None:
        """End what is under way, which fails."""

    def close(self) -> Deferred[None]:
        """The same, and close all connections."""


@attrs.frozen
class Address:
    """Where the database is, with the password: never shown."""

    conninfo: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)

    @classmethod
    def of(cls, url: str) -> "Address":
        """From a connection URI, or key=value pairs. Raises StoreError for neither, without any part of it.

        A password with unescaped characters would else end up in a host or port, which are shown.
        """
        try:
            said = conninfo_to_dict(url)
        except psycopg.Error:
            said = {"port": "unknown"}
        if not _PORTS.fullmatch(str(said.get("port") or "")) or "@" in str(said.get("host")):
            raise StoreError("store.history: expected an address such as postgresql://user@127.0.0.1/agentgateway")
        settings: dict[str, Any] = {**DEFAULTS, **said}
        return cls(make_conninfo("", **settings), str(said.get("password") or ""))

    def explain(self, error: BaseException) -> str:
        """The error in one line, without the password."""
        text = " ".join(str(error).split()) or type(error).__name__
        return (text.replace(self.password, "***") if self.password else text)[:LONGEST_TEXT]


class _Session(adbapi.Connection):
    """One for each piece of work, on the connection of its thread."""

    def commit(self) -> None:
        """The work has done that in time; here it ends."""
        if not self._pool.keep:
            self._pool.disconnect(self._connection)

    def rollback(self) -> None:
        """Closing does it, and works where the connection is what failed."""
        self._pool.disconnect(self._connection)


class _Pool(adbapi.ConnectionPool):
    connectionFactory = _Session
    keep = True
    ending = False

    def connect(self) -> Any:
        """A connection for this thread. Raises StoreError at the end."""
        if self.ending:
            raise StoreError("the gateway stops")
        return super().connect()  # type: ignore[no-untyped-call]


class _Work:
    """A piece of work that has a connection: `end` and `cut` may be called in different threads."""

    def __init__(self, connection: Connection) -> None:
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)

    def cut(self) -> None:
        """Shut its socket, if it still works."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the other side was faster

    def end(self) -> None:
        """It is over."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class Sessions:
    """At most `threads` connections to `address`; work may take `patience` seconds.

    Without `keep` each piece of work has a connection of its own: a server has a place for so many, and a large fleet.
    """

    def __init__(self, reactor: Any, address: Address, threads: int, patience: float, keep: bool = True) -> None:
        self._address = address
        self._patience = patience
        self._pool = _Pool(  # type: ignore[no-untyped-call]
            "psycopg", address.conninfo, cp_reactor=reactor, cp_min=0, cp_max=threads
        )
        self._pool.keep = keep
        self._fit: WeakSet[Connection] = WeakSet()
        self._works: set[_Work] = set()
        self._waiting: set[Deferred[None]] = set()

    def run(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """See `ISessions.run`."""
        done: Deferred[T] = self._pool.runWithConnection(self._run, work, *args, **kwargs)  # type: ignore[no-untyped-call]
        over: Deferred[None] = Deferred()
        self._waiting.add(over)
        return done.addBoth(self._over, over).addErrback(self._explained)

    def _run(self, session: Any, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """In the thread."""
        connection: Connection = session._connection
        mine = _Work(connection)
        self._works.add(mine)
        try:
            if connection not in self._fit:
                prepare(connection, self._patience)
                self._fit.add(connection)
            result = work(connection, *args, **kwargs)
            connection.commit()
            return result
        finally:
            self._works.discard(mine)
            mine.end()

    def _over(self, result: Any, over: "Deferred[None]") -> Any:
        self._waiting.discard(over)
        over.callback(None)
        return result

    def _explained(self, failure: Failure) -> Failure:
        error = failure.value
        return Failure(StoreError(self._address.explain(error))) if isinstance(error, psycopg.Error) else failure

    def sweep(self) -> None:
        """See `ISessions.sweep`. The server's own limit comes first, where it is able to keep it."""
        for work in tuple(self._works):
            if time.monotonic() - work.began > self._patience + 2:
                work.cut()

    def cut(self) -> None:
        """See `ISessions.cut`."""
        for work in tuple(self._works):
            work.cut()

    def close(self) -> Deferred[None]:
        """See `ISessions.close`; what is only connecting is given the time to find out that it cannot."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        self._pool.ending = True
        self.cut()
        await DeferredList(list(self._waiting))
        self._pool.close()  # type: ignore[no-untyped-call]
