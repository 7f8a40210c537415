"""A stock request with the wire's ways to end an answer."""

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel, Request

from agentgateway.web.stock import StockRequest


class Noting(Request):
    """Does nothing by itself."""

    def process(self) -> None:
        """Wait for the test."""


class StockRequestTests(SynchronousTestCase):
    """Ending and breaking off."""

    def setUp(self) -> None:
        """One request that has arrived."""
        channel = HTTPChannel()
        channel.requestFactory = Noting
        self.wire = StringTransport()
        channel.makeConnection(self.wire)
        self.addCleanup(channel.setTimeout, None)
        channel.dataReceived(b"GET /x HTTP/1.1\r\nHost: y\r\n\r\n")
        self.request = StockRequest(channel.requests[0])

    def test_finish(self) -> None:
        """The last bytes go out with the end, behind the fields that were set."""
        self.request.head(200, b"OK", [(b"X-Odd-Case", b"1")], False)
        self.request.write(b"one")
        self.request.finish(b"two")
        said = self.wire.value()
        self.assertIn(b"\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", said)
        self.assertEqual(self.request.responseHeaders.getRawHeaders(b"x-odd-case"), [b"1"])
        self.assertEqual(self.request.uri, b"/x")

    def test_break_off(self) -> None:
        """Broken off, the answer has no last chunk, and the connection closes."""
        self.request.write(b"one")
        self.request.break_off(b"two")
        self.assertTrue(self.wire.value().endswith(b"3\r\none\r\n3\r\ntwo\r\n"))
        self.assertTrue(self.wire.disconnecting)
