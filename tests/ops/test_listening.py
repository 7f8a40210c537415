"""Endpoints that cannot be had."""

import os
import shutil
import socket
from tempfile import mkdtemp

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.ops.listening import ListenError, listening
from tests.harness import reactor
from tests.peers import closed_port


class ListeningTests(SynchronousTestCase):
    """What is said, in a line."""

    def wrong(self, endpoint: str) -> str:
        """The message."""
        error = self.assertRaises(ListenError, listening, endpoint, ServerFactory(), MemoryReactorClock())
        return str(error)

    def test_listens(self) -> None:
        """A service listens when it is started, with room for many callers at once."""
        reactor = MemoryReactorClock()
        service = listening("tcp:8080:interface=127.0.0.1", ServerFactory(), reactor)
        self.assertEqual(reactor.tcpServers, [])
        service.startService()
        [(port, _, backlog, interface)] = reactor.tcpServers
        self.assertEqual((port, interface), (8080, "127.0.0.1"))
        self.assertGreater(backlog, 1000)

    def test_no_socket(self) -> None:
        """Without systemd there is no socket of systemd's, by number or by name."""
        for endpoint in ("systemd:domain=INET:index=0", "systemd:domain=INET:name=agentgateway"):
            self.assertIn(f"cannot listen on {endpoint}: systemd has passed no such socket", self.wrong(endpoint))

    def test_no_certificate(self) -> None:
        """A certificate that is not there is named, and so is a file that is none."""
        self.assertIn("missing.pem: No such file", self.wrong("ssl:0:privateKey=missing.pem:certKey=missing.pem"))
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("hello")
        self.assertIn("no certificate and key in PEM", self.wrong(f"ssl:0:privateKey={path}:certKey={path}"))


class Greeting(Protocol):
    """Says hello."""

    def connectionMade(self) -> None:
        """Once somebody is let in."""
        self.transport.write(b"hello")
        self.transport.loseConnection()


class EndTests(TestCase):
    """The last ones to come."""

    async def test_let_in(self) -> None:
        """Who has connected before the port is closed is let in, although nobody has accepted yet; later ones are not."""
        folder = mkdtemp(prefix="agw-")  # a short path, as UNIX sockets need it
        self.addCleanup(shutil.rmtree, folder)
        for kind, address in (("tcp", closed_port()), ("unix", os.path.join(folder, "socket"))):
            service = listening(f"{kind}:{address}", Factory.forProtocol(Greeting), reactor)
            service.privilegedStartService()
            service.startService()
            family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
            place = ("127.0.0.1", address) if kind == "tcp" else address
            with socket.socket(family) as early, socket.socket(family) as late:
                early.connect(place)
                await service.stopService()
                self.assertRaises(OSError, late.connect, place)
                self.assertEqual(await deferToThread(early.recv, 100), b"hello")

    async def test_busy(self) -> None:
        """A port that is taken is an error at once."""
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            service = listening(f"tcp:{busy.getsockname()[1]}:interface=127.0.0.1", ServerFactory(), reactor)
            self.assertRaises(CannotListenError, service.privilegedStartService)
            await service.stopService()
