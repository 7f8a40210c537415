"""Who gets in, and how often somebody may guess."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.admin import AdminToken
from agentgateway.config.schema import Secret
from agentgateway.domain.guesses import RATE
from agentgateway.domain.moment import Moment
from agentgateway.web.management.guard import Guard
from agentgateway.web.management.problems import Problem

GOOD, BAD = b"Bearer the-right-one", b"Bearer a-wrong-one"


class GuardTests(SynchronousTestCase):
    """Tokens from the network."""

    def setUp(self):
        """A guard, and what it tells."""
        self.alerts = []
        self.guard = Guard(AdminToken(Secret("the-right-one"), self.alerts.append))

    def admit(self, value, peer="10.0.0.1", now=0.0, **more):
        """The name of the caller, or the code of the refusal."""
        headers = ({"host": [b"gateway.example"], "authorization": [value]} | more).get
        try:
            return self.guard.admit(peer, headers, True, True, Moment(now, now)).name
        except Problem as problem:
            self.assertEqual(problem.status, 401)
            return problem.code

    def test_right(self):
        """The right token is let in, in whatever case the scheme is written."""
        self.assertEqual(self.admit(GOOD), "admin")
        self.assertEqual(self.admit(b"bearer the-right-one"), "admin")
        self.assertFalse(self.alerts)

    def test_wrong(self):
        """A wrong one is told as an alert that has the peer, and nothing of the token."""
        for value in (BAD, b"Basic dGhlLXJpZ2h0LW9uZQ==", b"", b"Bearer", b"Bearer the-right-one x", b"\xff"):
            self.assertEqual(self.admit(value), "unauthorized")
        for alert in self.alerts:
            self.assertEqual(alert.kind, "access")
            self.assertIn("10.0.0.1", alert.text)
            self.assertNotIn("wrong-one", alert.text)

    def test_guessing(self):
        """After so many wrong ones a peer waits, even with the right one; others do not, and time heals it."""
        for _ in range(RATE.count):
            self.assertEqual(self.admit(BAD), "unauthorized")
        self.assertEqual(self.admit(BAD), "too_many_attempts")
        self.assertEqual(self.admit(GOOD), "too_many_attempts")
        self.assertEqual(self.admit(GOOD, peer="10.0.0.2"), "admin")
        self.assertEqual(len(self.alerts), RATE.count)
        self.assertEqual(self.admit(GOOD, now=7.0), "admin")
        self.assertEqual(self.admit(BAD, now=7.0), "unauthorized")

    def test_networks(self):
        """Over IPv6, one network is one guesser: it has more addresses than there are stars."""
        for number in range(RATE.count):
            self.assertEqual(self.admit(BAD, peer=f"2001:db8::{number:x}"), "unauthorized")
        self.assertEqual(self.admit(BAD, peer="2001:db8::ffff"), "too_many_attempts")
        self.assertEqual(self.admit(BAD, peer="2001:db8:1::1"), "unauthorized")

    def test_behind_a_proxy(self):
        """Who guesses through a proxy does not lock out who works on the proxy's machine."""
        for _ in range(RATE.count):
            self.admit(BAD, peer="127.0.0.1", via=[b"1.1 proxy"])
        self.assertEqual(self.admit(GOOD, peer="127.0.0.1", via=[b"1.1 proxy"]), "too_many_attempts")
        self.assertEqual(self.admit(GOOD, peer="127.0.0.1"), "admin")
