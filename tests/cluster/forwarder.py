"""A stretch of network between a gateway and the shared store that can be cut, and then brings late what was said."""

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, ServerFactory

from tests.harness import reactor


class End(Protocol):
    """One end of a connection that is passed on; `other` is the far one, once it is there."""

    def __init__(self, network: "Network") -> None:
        self._network = network
        self._other: End | None = None
        self._heard: list[bytes | None] = []
        """What came here and is still to be passed on; None: it was closed."""

    def connectionMade(self) -> None:
        """It is there."""
        self.transport.setTcpNoDelay(True)
        self._network.ends.append(self)
        self._network.all.add(self)

    def dataReceived(self, data: bytes) -> None:
        """Something to pass on."""
        self._heard.append(data)
        self.pass_on()

    def connectionLost(self, reason: Any = None) -> None:
        """That, too, is passed on."""
        self._network.ends.remove(self)
        if not self._network.cut:
            self._network.all.discard(self)
        self._heard.append(None)
        self.pass_on()

    def join(self, other: "End") -> None:
        """This is the other end."""
        self._other = other
        self.pass_on()

    def pass_on(self) -> None:
        """To the other end, as soon as it is there and the network carries anything."""
        if self._other is None or self._network.cut:
            return
        heard, self._heard = self._heard, []
        for data in heard:
            if data is None:
                self._other.transport.loseConnection()
            else:
                self._other.transport.write(data)


class Network(ServerFactory):
    """Passes connections on to `port`; nothing gets through while it is `cut`."""

    noisy = False

    def __init__(self, port: int) -> None:
        self.cut = False
        self.ends: list[End] = []
        """Those that are connected."""
        self.all: set[End] = set()
        """The same, and those that closed while nothing got through."""
        self._port = port

    def buildProtocol(self, address: Any) -> End:
        """A connection of a gateway's."""
        near, far = End(self), End(self)

        def connected(_: End) -> None:
            near.join(far)
            far.join(near)

        there = connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self._port), far)
        there.addCallbacks(connected, lambda _: near.transport.abortConnection())
        return near

    def heal(self) -> None:
        """Whatever was said meanwhile arrives now, even from those who have given up."""
        self.cut = False
        for end in list(self.all):
            end.pass_on()
        self.all = set(self.ends)

    def close(self) -> None:
        """Break all connections."""
        for end in list(self.ends):
            end.transport.abortConnection()
