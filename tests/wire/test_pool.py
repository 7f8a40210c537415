"""Connections to one origin."""

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.errors import ConnectFailed, ConnectTimeout
from agentgateway.wire.pool import reason_of
from tests.wire.doubles import Upstream, receive

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ReuseTests(SynchronousTestCase):
    """Keeping connections."""

    def call(self, upstream: Upstream) -> None:
        """One whole call."""
        asked = upstream.ask()
        upstream.line.say(OK)
        self.assertEqual(receive(self.successResultOf(asked)).body, b"ok")

    def test_reused(self) -> None:
        """Calls one after the other share a connection."""
        upstream = Upstream()
        for _ in range(5):
            self.call(upstream)
        self.assertEqual(len(upstream.exchange.lines), 1)
        self.assertEqual(upstream.agent.counts, (1, 1))

    def test_at_once(self) -> None:
        """Calls at the same time each have their own."""
        upstream = Upstream()
        upstream.ask()
        upstream.ask()
        self.assertEqual(upstream.agent.counts, (2, 0))

    def test_no_more_idle_than_allowed(self) -> None:
        """Above `max_idle` the connection that idles longest is closed."""
        upstream = Upstream(max_idle=1)
        asked = [upstream.ask(), upstream.ask()]
        for line, wanted in zip(upstream.exchange.lines, asked, strict=True):
            line.say(OK)
            receive(self.successResultOf(wanted))
        self.assertEqual([line.wire.aborted for line in upstream.exchange.lines], [True, False])

    def test_idle_too_long(self) -> None:
        """An idle connection is closed after `idle_timeout`, and its origin is forgotten."""
        upstream = Upstream(idle_timeout=60)
        self.call(upstream)
        upstream.wait(59)
        self.assertFalse(upstream.line.wire.closed)
        upstream.wait(2)
        self.assertTrue(upstream.line.wire.aborted)
        upstream.line.hang_up()
        upstream.wait(1)
        self.assertEqual(upstream.agent.counts, (0, 0))
        self.call(upstream)
        self.assertEqual(len(upstream.exchange.lines), 2)

    def test_closed_by_the_upstream_while_idle(self) -> None:
        """An idle connection that the upstream closes, or speaks on, is not used again."""
        for end in ("hang up", "speak"):
            upstream = Upstream()
            self.call(upstream)
            if end == "hang up":
                upstream.line.hang_up()
            else:
                upstream.line.say(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            self.call(upstream)
            self.assertEqual(len(upstream.exchange.lines), 2)


class ConnectTests(SynchronousTestCase):
    """Opening connections."""

    def test_refused(self) -> None:
        """A refused connection says so, in a word."""
        upstream = Upstream()
        upstream.exchange.refusal = ConnectionRefusedError()
        failed = self.failureResultOf(upstream.ask(), ConnectFailed).value
        self.assertIn("refused", failed.detail)
        self.assertEqual(upstream.agent.counts, (0, 0))

    def test_too_slow(self) -> None:
        """An attempt that takes too long is given up, whatever it hangs at."""
        upstream = Upstream(connect_timeout=10)
        upstream.exchange.held = True
        asked = upstream.ask()
        self.assertEqual(upstream.agent.counts, (1, 0))
        upstream.wait(9)
        self.assertNoResult(asked)
        upstream.wait(2)
        self.failureResultOf(asked, ConnectTimeout)
        self.assertEqual(upstream.exchange.cancelled, 1)
        self.assertEqual(upstream.agent.counts, (0, 0))

    def test_cancelled(self) -> None:
        """A caller that leaves while the connection is being made cancels it, and is told just that."""
        upstream = Upstream()
        upstream.exchange.held = True
        asked = upstream.ask()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(upstream.exchange.cancelled, 1)
        upstream.wait(20)

    def test_closed_meanwhile(self) -> None:
        """Closing the agent gives up what is being connected."""
        upstream = Upstream()
        upstream.exchange.held = True
        asked = upstream.ask()
        upstream.agent.close()
        self.failureResultOf(asked, ConnectFailed)


class ReasonTests(SynchronousTestCase):
    """Why there is no connection, in words."""

    def test_words(self) -> None:
        """A name, a refusal, something else."""
        self.assertEqual(reason_of(DNSLookupError("x")), "the name has no address")
        self.assertEqual(reason_of(ConnectionRefusedError()), "Connection was refused by other side")
        self.assertEqual(reason_of(ZeroDivisionError()), "ZeroDivisionError")
