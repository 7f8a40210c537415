"""Tests of who is in the simulated fleet."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.characters import FLEET


class FleetTests(SynchronousTestCase):
    """The cast."""

    def test_cast(self):
        """Eight agents with names of their own meet every kind of limit and speak to both providers."""
        self.assertEqual(len({character.name for character in FLEET}), 8)
        self.assertEqual({character.provider for character in FLEET}, {"anthropic", "openai"})
        limits = {name for character in FLEET for name in character.limits}
        self.assertLessEqual({"budget", "rate_limit", "token_limit", "circuit_breaker"}, limits)
