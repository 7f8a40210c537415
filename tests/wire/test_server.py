"""The listening side: how many, and for how long."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.server import Limits
from tests.wire.doubles import Caller, Site, hello

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class ServerTests(SynchronousTestCase):
    """Connections, counted."""

    def test_one_too_many(self) -> None:
        """Above the limit a connection is told 503 and closed; when another one ends there is room again."""
        first = Caller(Site(hello), max_connections=1)
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
