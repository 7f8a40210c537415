"""Listening on endpoint strings; what is wrong with one that its form does not show is told in a line.

Twisted closes a port a turn after it has been told to, and the kernel resets what has connected in between: the end
here takes those in first.
"""

from collections.abc import Mapping
from typing import Any

from OpenSSL.crypto import Error as PEMError
from OpenSSL.SSL import Error as TLSError
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from agentgateway.errors import GatewayError
from agentgateway.ops.handed import Handed
from agentgateway.wire.endpoints import with_backlog


class ListenError(GatewayError):
    """An endpoint that cannot be had; the message says which, and why."""


class Listening(Service):
    """Listens on `endpoint`, from the privileged start on. Both starts raise what hinders it, such as CannotListenError.

    `text` is what the endpoint was made of.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, factory: Any, reactor: Any, text: str = "") -> None:
        self.text = text
        self._endpoint, self._factory, self._reactor = endpoint, factory, reactor
        self._port: Any = None
        self._holds = False

    def privilegedStartService(self) -> None:
        """Listen."""
        if self._port is None:
            found: list[Any] = []
            self._endpoint.listen(self._factory).addBoth(found.append)  # it is there at once
            if hasattr(found[0], "raiseException"):
                found[0].raiseException()
            self._port = found[0]

    @property
    def port(self) -> int | None:
        """The TCP port, while it listens on one."""
        return None if self._port is None else getattr(self._port.getHost(), "port", None)

    @property
    def descriptor(self) -> int:
        """Of the socket, while it listens."""
        return int(self._port.fileno())

    def hold(self) -> None:
        """Listen, but let nobody in: that is for others, who have copies of the socket."""
        self.privilegedStartService()
        self._port.stopReading()
        self._holds = True

    def startService(self) -> None:
        """Listen, unless that has been done."""
        self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> "Deferred[None]":
        """Listen no more; whoever has connected by then is let in."""
        super().stopService()  # type: ignore[no-untyped-call]
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        if not self._holds:
            self._reactor.callLater(0, self._let_in, port)  # runs right before the port closes
        return maybeDeferred(port.stopListening)

    def _let_in(self, port: Any) -> None:
        """The last ones."""
        try:
            while True:
                connection, _ = port.socket.accept()
                with connection:  # the reactor has its own copy
                    self._reactor.adoptStreamConnection(connection.fileno(), port.addressFamily, port.factory)
        except (AttributeError, OSError):  # nobody is left, or there is no socket (in memory)
            return


def listening(endpoint: str, factory: Any, reactor: Any, handed: Mapping[str, int] = {}) -> Listening:
    """A service that listens for `factory` once it is started. Raises ListenError.

    `handed` are the endpoints that another process has opened, with their descriptors.
    """
    try:
        if endpoint in handed:
            return Listening(Handed(endpoint, handed[endpoint], reactor), factory, reactor, endpoint)
        return Listening(serverFromString(reactor, with_backlog(endpoint)), factory, reactor, endpoint)
    except LookupError:
        raise ListenError(
            f"cannot listen on {endpoint}: systemd has passed no such socket (is its .socket unit started?)"
        )
    except OSError as error:
        raise ListenError(f"cannot listen on {endpoint}: {error.filename}: {error.strerror}")
    except (PEMError, TLSError, ValueError):
        raise ListenError(f"cannot listen on {endpoint}: no certificate and key in PEM there")
