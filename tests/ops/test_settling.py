"""The look at every agent."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.moment import Moment
from agentgateway.ops.rounds import REST
from agentgateway.ops.settling import SLICE, settling
from tests.ops.dashboard.doubles import NOON, State


class SettlingTests(SynchronousTestCase):
    """Pauses whose window has ended."""

    def setUp(self) -> None:
        agents = ", ".join(f"a{number}: {{budget: {{max_cost_per_hour: 1}}}}" for number in range(3 * SLICE))
        self.state, self.clock, self.flushed = State(f"agents: {{{agents}}}"), Clock(), 0
        for agent in self.state.fleet:
            self.state.fleet.pause(agent, "budget", "spent", Moment(0.0, NOON), NOON + 60)
        self.rounds = settling(self.clock, self.state.fleet, lambda: Moment(100.0, NOON + 100), self.flush)
        self.rounds.startService()

    def flush(self) -> None:
        """Something was written down."""
        self.flushed += 1

    def test_all(self) -> None:
        """One round looks at every agent, and what it changes is written down step by step."""
        self.rounds.begin()
        self.clock.pump([REST] * 5)
        self.assertEqual([agent.id for agent in self.state.fleet if agent.pause is not None], [])
        self.assertEqual(self.flushed, 3)

    def test_gone(self) -> None:
        """An agent that a reload takes away meanwhile is not looked at any more."""
        gone = self.state.fleet.get("a5")
        assert gone is not None
        self.rounds.begin()
        self.state.fleet.configure(State("agents: {a1: {}}").config, self.state.moment())
        self.clock.pump([REST] * 5)
        self.assertIsNotNone(gone.pause)
