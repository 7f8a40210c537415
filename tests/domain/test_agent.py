"""One agent as a part of a fleet."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.agent import AgentState
from agentgateway.domain.caps import Cap, Crossing
from agentgateway.domain.lease import NONE_GONE, NOTHING, BucketGrant, Grant
from agentgateway.domain.link import Link
from tests.pipeline.calls import NOW, config_of, fleet_of, later

CONFIG = """
agents:
  a: {budget: {max_cost_total: 1, enforcement: hard}, rate_limit: 6/min, token_limit: 100/min, max_concurrency: 50}
"""


class AgentTests(SynchronousTestCase):
    """All that one agent tells and asks, at once."""

    def setUp(self) -> None:
        """An agent to whom nothing is lent yet."""
        agent = fleet_of(config_of(CONFIG), Link()).get("a")
        assert agent is not None
        self.agent: AgentState = agent

    def grant(self, calls: int = 0) -> None:
        """An answer: money, three places, tokens; others have made so many calls."""
        ask = self.agent.ask(NOW)
        life = (0, calls, 0, 0, 0)
        buckets = (BucketGrant("token_limit", 40, 0.0), BucketGrant("rate_limit", 2, 0.0))
        grant = Grant("a", False, 500, NOTHING, NOTHING, life, 0, 3, buckets, NONE_GONE)
        self.agent.granted(ask, grant, NOW)

    def test_is_news(self) -> None:
        """A warning is news once for each fraction, window and limit of a cap."""

        def news(fraction: float, limit: int = 100, end: int | None = 5) -> bool:
            return self.agent.is_news(Crossing(fraction, Cap("hour", limit, 80, 0, end)))

        self.assertEqual([news(0.75), news(0.75), news(0.95), news(0.75)], [True, False, True, False])
        self.assertEqual([news(0.75, end=9), news(0.75, 200, 9), news(0.75, 200, None)], [True, True, True])

    def test_ask(self) -> None:
        """Money, places and each rate are in one question."""
        ask = self.agent.ask(NOW)
        self.assertEqual((ask.agent, ask.caps, ask.max_slots), ("a", (None, None, 10**9), 50))
        self.assertEqual([bucket.name for bucket in ask.buckets], ["rate_limit", "token_limit"])

    def test_granted(self) -> None:
        """The answer goes where it belongs."""
        self.assertFalse(self.agent.holds)
        self.grant()
        assert self.agent.account.share is not None and self.agent.places is not None
        held = [bucket.upto for bucket in self.agent.lent()]
        self.assertEqual((self.agent.account.share.ceiling, self.agent.places.held, held), (500, 3, [2, 40]))
        self.assertTrue(self.agent.holds)

    def test_retired(self) -> None:
        """When no more calls come, everything goes back."""
        self.grant()
        self.assertTrue(self.agent.holds_idle(later(2)))
        self.agent.retire()
        ask = self.agent.ask(NOW)
        self.assertEqual((ask.held, ask.slots_held, [bucket.upto for bucket in ask.buckets]), (0, 0, [0, 0]))
        self.assertFalse(self.agent.holds)

    def test_seen_elsewhere(self) -> None:
        """An agent that calls another process is not idle here."""
        self.grant(calls=1)
        self.assertIsNone(self.agent.last_call)
        self.grant(calls=2)
        self.assertEqual(self.agent.last_call, NOW.wall)
        self.assertEqual(round(self.agent.account.call_pace.value(NOW.wall)), 1)

    def test_told_again(self) -> None:
        """What others have done before is no call of now, where they tell it again after all was lost."""
        assert self.agent.link is not None
        self.grant(calls=9)
        self.agent.link.grace = True
        for calls in (0, 4, 9):
            self.grant(calls=calls)
        self.agent.link.grace = False
        for calls in (9, 5, 9):  # one of them comes back late
            self.grant(calls=calls)
        self.assertEqual((self.agent.last_call, self.agent.account.call_pace.value(NOW.wall)), (None, 0))
