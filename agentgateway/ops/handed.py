"""Listening on a socket that another process has opened, and that its siblings listen on too.

Who is idle takes the next caller: each turn of the reactor lets one in, so that a process with much to do, which comes
round less often, gets less of it. What nobody has let in yet waits in the socket, which lasts as long as anybody holds it.
"""

import errno
import socket
from contextlib import suppress
from typing import Any, Final

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

PAUSE: Final = 0.1
"""Seconds until the next try where the process has no descriptor left for a caller."""
_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@implementer(IListeningPort)
class HandedPort(FileDescriptor):
    """Lets callers of `descriptor` in for `factory`; of the descriptor it makes a copy."""

    _log = Logger()

    def __init__(self, descriptor: int, factory: Any, reactor: Any) -> None:
        super().__init__(reactor)
        self._reactor = reactor
        self.socket = socket.socket(fileno=socket.dup(descriptor))
        self.socket.setblocking(False)
        self.addressFamily = self.socket.family
        self.factory = factory

    def fileno(self) -> int:
        """The copy."""
        return self.socket.fileno()

    def startListening(self) -> None:
        """Let callers in."""
        self.factory.doStart()
        self.startReading()  # type: ignore[no-untyped-call]

    def doRead(self) -> None:
        """Let one in, unless a sibling was faster."""
        try:
            connection, _ = self.socket.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._log.error("no room for a caller: {why}", why=error.strerror)
                self.stopReading()  # type: ignore[no-untyped-call]
                self._reactor.callLater(PAUSE, self._go_on)
            return
        with connection, suppress(OSError):  # the reactor has its own copy; a caller may be gone again
            self._reactor.adoptStreamConnection(connection.fileno(), self.addressFamily, self.factory)

    def _go_on(self) -> None:
        if self.socket.fileno() >= 0:
            self.startReading()  # type: ignore[no-untyped-call]

    def stopListening(self) -> "Deferred[None]":
        """Close the copy; the socket itself lasts with whoever else has it."""
        self.stopReading()  # type: ignore[no-untyped-call]
        # As Twisted's ports do: whoever listens may let in the last ones first.
        return deferLater(self._reactor, 0, self._close)

    def _close(self) -> None:
        self.socket.close()
        self.factory.doStop()

    def getHost(self) -> Any:
        """The socket's own name, as the system has it."""
        return self.socket.getsockname()


@implementer(IStreamServerEndpoint)
class Handed:
    """The endpoint string `endpoint`, whose socket is open already as `descriptor`. TLS is done here, not over there."""

    def __init__(self, endpoint: str, descriptor: int, reactor: Any) -> None:
        self._descriptor, self._reactor = descriptor, reactor
        # Twisted reads certificate and key, and then asks whom it takes for a reactor to listen.
        self._with_tls = serverFromString(self, endpoint) if endpoint.startswith("ssl:") else None

    def listen(self, factory: Any) -> "Deferred[IListeningPort]":
        """Let callers in at once."""
        return succeed(self._port(factory)) if self._with_tls is None else self._with_tls.listen(factory)

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, **options: Any) -> IListeningPort:
        """What an endpoint with TLS asks of a reactor."""
        return self._port(TLSMemoryBIOFactory(contextFactory, False, factory))

    def _port(self, factory: Any) -> IListeningPort:
        port = HandedPort(self._descriptor, factory, self._reactor)
        port.startListening()
        return port
