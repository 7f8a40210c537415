"""The listening side: how many, and for how long."""

from os.path import dirname
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol, serverFromString
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.wire.server import Limits, Server
from tests.wire.doubles import Caller, Site, answer, hello, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class ServerTests(SynchronousTestCase):
    """Connections, counted."""

    def test_one_too_many(self) -> None:
        """Above the limit a connection is told 503 and closed; when another one ends there is room again."""
        first = Caller(Site(hello), max_connections=1, spare=0)
        second = Caller(first.site, first.clock, first.server)
        said = second.wire.taken()
        self.assertEqual(said[:13], b"HTTP/1.1 503 ")
        self.assertTrue(said.endswith(b"full"))
        self.assertTrue(second.wire.closed)
        first.leave()
        third = Caller(first.site, first.clock, first.server)
        self.assertIn(b"200 OK", third.say(GET))

    def test_forgotten(self) -> None:
        """A connection that has ended leaves nothing behind."""
        caller = Caller(Site(hello))
        caller.say(GET)
        caller.leave()
        self.assertEqual(caller.server.channels, set())
        caller.server.sweep()

    def test_closed(self) -> None:
        """Closing ends every connection at once, with a call on it or not."""
        idle = Caller(Site())
        busy = Caller(idle.site, idle.clock, idle.server)
        busy.say(GET)
        idle.server.close()
        self.assertEqual([idle.wire.aborted, busy.wire.aborted], [True, True])

    def test_protocols(self) -> None:
        """Under TLS a caller may ask for HTTP/1.1 by name."""
        self.assertIn(b"http/1.1", Caller(Site()).server.acceptableProtocols())

    def test_a_fault_is_answered_by_the_site(self) -> None:
        """The site says what a caller is told that sent no HTTP, and hears for which target."""
        caller = Caller(Site(hello))
        said = caller.say(b"GET /v1/x HTTP/1.1\r\n\r\n")
        self.assertEqual(caller.site.faults, [(400, b"/v1/x")])
        self.assertIn(b"X-Reason: bad\r\n", said)
        self.assertIn(b"Content-Length: ", said)


class LimitsTests(SynchronousTestCase):
    """What a connection may take."""

    def test_time_for_a_body(self) -> None:
        """A grace, and then a second for so many bytes."""
        limits = Limits(body_grace=30, body_rate=1_000)
        self.assertEqual(limits.body_seconds(0), 30)
        self.assertEqual(limits.body_seconds(5_000), 35)


class SocketTests(TestCase):
    """What only real sockets show."""

    async def listen(self, description: str, site: Site) -> Any:
        """A server at an endpoint; gives its port."""
        self.server = Server(reactor, site, Limits())
        port = await serverFromString(reactor, description).listen(self.server)
        self.addCleanup(port.stopListening)
        self.addCleanup(until, reactor, lambda: not self.server.channels)
        return port

    async def ask(self, description: str, data: bytes) -> bytes:
        """Send `data` and read to the end."""
        asker = Asker(data)
        await connectProtocol(clientFromString(reactor, description), asker)
        return await asker.done

    async def test_an_early_answer(self) -> None:
        """A caller that sends megabytes to a server that refused it after the head still reads the whole refusal."""
        port = await self.listen(
            "tcp:0:interface=127.0.0.1", Site(lambda request: answer(request, b"no" * 50_000, 402))
        )
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n"
        said = await self.ask(f"tcp:127.0.0.1:{port.getHost().port}", head + bytes(20_000_000))
        self.assertEqual(said[:13], b"HTTP/1.1 402 ")
        self.assertTrue(said.endswith(b"no" * 50_000))

    async def test_unix(self) -> None:
        """A Unix socket serves like any other."""
        path = f"{mkdtemp()}/s"
        self.addCleanup(rmtree, dirname(path))
        await self.listen(f"unix:{path}", Site(hello))
        said = await self.ask(f"unix:{path}", b"GET /u HTTP/1.0\r\n\r\n")
        self.assertTrue(said.endswith(b"for /u"))


class Asker(Protocol):
    """Says one thing and listens to the end, all the while reading only when all has been said."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._heard = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """Say it, then listen."""
        self.transport.pauseProducing()
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """Some more of it; as a blocking client does, that reads only behind its last byte."""
        piece, self._data = self._data[:1_000_000], self._data[1_000_000:]
        self.transport.write(piece)
        if not self._data:
            self.transport.unregisterProducer()
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The end."""

    def dataReceived(self, data: bytes) -> None:
        """Some of the answer."""
        self._heard += data

    def connectionLost(self, reason: Any) -> None:
        """All of it."""
        self.done.callback(self._heard)
