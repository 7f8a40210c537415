"""Writing at once, over real sockets."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from agentgateway.wire.eager import eager_writer, tune
from tests.harness import until

PIECE = 50_000
PIECES = 400


class Talker(Protocol):
    """Writes numbered pieces, far more than a socket takes, then closes."""

    def connectionMade(self) -> None:
        """All at once, by turns eagerly and in Twisted's way."""
        tune(self.transport)
        write = eager_writer(self.transport)
        for number in range(PIECES):
            piece = b"%06d" % number * (PIECE // 6)
            (self.transport.write if number % 7 == 3 else write)(piece)
        self.transport.loseConnection()
        write(b"")


class Listener(Protocol):
    """Begins to read when it is told, and checks the order as it comes."""

    def __init__(self) -> None:
        self.done: Deferred[int] = Deferred()
        self.received = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """More."""
        self.received += data

    def connectionLost(self, reason: Any) -> None:
        """All of it."""
        self.done.callback(len(self.received))


class EagerWriterTests(TestCase):
    """The socket first, the queue when it is full."""

    async def test_order_when_the_socket_is_full(self) -> None:
        """Nothing is lost, doubled or overtaken when the other side reads late."""
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Talker))
        self.addCleanup(port.stopListening)
        listener = Listener()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await connectProtocol(endpoint, listener)
        listener.transport.pauseProducing()
        reactor.callLater(0.05, listener.transport.resumeProducing)
        size = await listener.done
        self.assertEqual(size, PIECES * (PIECE // 6) * 6)
        self.assertEqual(bytes(listener.received), b"".join(b"%06d" % n * (PIECE // 6) for n in range(PIECES)))

    async def test_no_memory(self) -> None:
        """Where there is no memory for what the socket did not take, that connection ends, and nothing else does."""

        class Unsliceable(bytes):
            def __getitem__(self, key: Any) -> Any:
                raise MemoryError

        server, listener = Protocol(), Listener()
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(lambda: server))
        self.addCleanup(port.stopListening)
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), listener)
        await until(lambda: server.connected)
        eager_writer(server.transport)(Unsliceable(PIECES * PIECE))
        self.assertLess(await listener.done, PIECES * PIECE)

    def test_in_memory(self) -> None:
        """What is no socket is written to in the ordinary way, and cannot be tuned."""
        transport = StringTransport()
        tune(object())
        eager_writer(transport)(b"abc")
        self.assertEqual(transport.value(), b"abc")
