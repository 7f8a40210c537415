"""Endpoints that cannot be had."""

from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.listening import ListenError, listening


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
