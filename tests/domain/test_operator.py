"""Tests of agentgateway.domain.operator."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.fleet import Fleet
from agentgateway.domain.lease import LARGEST_CAP
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.money import dollars
from agentgateway.domain.operator import CapTooLarge, NewCaps, StillSpent, change_caps, resume
from agentgateway.domain.windows import Calendar
from tests.pipeline.calls import NOW, config_of, fleet_of

CONFIG = "agents: {coder: {provider: openai, budget: {max_cost_per_hour: 5}}}"


class OperatorTests(SynchronousTestCase):
    """An agent with a cap."""

    def setUp(self) -> None:
        """Nothing is spent."""
        self.fleet = fleet_of(config_of(CONFIG))
        agent = self.fleet.get("coder")
        assert agent is not None
        self.agent = agent

    def spend(self, nano: int) -> None:
        """One call."""
        account = self.agent.account
        account.settle(NOW.wall, account.hold("call", 0), nano)

    def test_still_spent(self) -> None:
        """A pause of the budget stands while it is spent, whoever asks; a higher cap lifts it."""
        self.spend(5_000_000_000)
        self.fleet.watch_budget(self.agent, NOW)
        problem = self.assertRaises(StillSpent, resume, self.fleet, self.agent, "please", NOW)
        self.assertEqual((problem.reason, problem.caps), ("the budget of $5 per hour is spent", ("hour",)))
        self.assertEqual(problem.or_wait, ", or wait until its window ends")
        self.assertIsNotNone(self.agent.pause)
        told = change_caps(self.fleet, self.agent, NewCaps(max_cost_per_hour=9), NOW)
        self.assertEqual((told, self.agent.pause), ("max_cost_per_hour $5 -> $9", None))

    def test_behind_a_pause(self) -> None:
        """A budget that was spent while an operator's pause stood in front of it pauses the agent in its place."""
        self.fleet.pause(self.agent, "operator", "why", NOW)
        self.spend(5_000_000_000)
        resume(self.fleet, self.agent, "go on", NOW)
        assert self.agent.pause is not None
        self.assertEqual(self.agent.pause.by, "budget")

    def test_shared(self) -> None:
        """Among several processes a cap above what their store counts exactly is refused, and nothing changes."""
        large = NewCaps(max_cost_per_day=dollars(LARGEST_CAP + 1))
        change_caps(self.fleet, self.agent, large, NOW)
        fleet = Fleet(config_of(CONFIG), Ledger(Calendar.of("UTC")), NOW, link=Link())
        agent = fleet.get("coder")
        assert agent is not None
        problem = self.assertRaises(CapTooLarge, change_caps, fleet, agent, large, NOW)
        self.assertIn("max_cost_per_day: expected at most 9,000,000 dollars", problem.message)
        self.assertIsNone(agent.budget.max_cost_per_day)

    def test_spent_in_total(self) -> None:
        """A total has no window, so nobody is told to wait for its end."""
        change_caps(self.fleet, self.agent, NewCaps(max_cost_total=0), NOW)
        problem = self.assertRaises(StillSpent, resume, self.fleet, self.agent, "please", NOW)
        self.assertEqual((problem.caps, problem.or_wait), (("total",), ""))

    def test_unchanged(self) -> None:
        """A cap that is given as it is already is no change, and is not told as one."""
        told = change_caps(self.fleet, self.agent, NewCaps(max_cost_per_hour=5, max_cost_per_day=1), NOW)
        self.assertEqual(told, "max_cost_per_day none -> $1")
        told = change_caps(self.fleet, self.agent, NewCaps(max_cost_per_day=1, max_cost_total=None), NOW)
        self.assertEqual(told, "all caps as they were")

    def test_caps(self) -> None:
        """What is not given stays; none lifts a cap."""
        change_caps(self.fleet, self.agent, NewCaps(max_cost_total="0.000000001"), NOW)
        told = change_caps(self.fleet, self.agent, NewCaps(max_cost_per_hour=None, max_cost_per_day="0.000000002"), NOW)
        self.assertEqual(told, "max_cost_per_hour $5 -> none, max_cost_per_day none -> $0.000000002")
        budget = self.agent.budget
        self.assertEqual((budget.max_cost_per_hour, budget.max_cost_per_day, budget.max_cost_total), (None, 2, 1))

    def test_the_file_s_again(self) -> None:
        """What an operator has set gives way to the file's caps, as of its latest reading."""
        change_caps(self.fleet, self.agent, NewCaps(max_cost_per_hour=9, max_cost_total=1), NOW)
        self.assertTrue(self.agent.caps_differ)
        told = change_caps(self.fleet, self.agent, NewCaps(set_by="file"), NOW)
        self.assertEqual(told, "the file's caps again: max_cost_per_hour $9 -> $5, max_cost_total $1 -> none")
        self.assertEqual((self.agent.caps, self.agent.caps_differ), (None, False))
        change_caps(self.fleet, self.agent, NewCaps(max_cost_per_hour=9), NOW)
        self.assertEqual(
            change_caps(self.fleet, self.agent, NewCaps(set_by="file", max_cost_total=1), NOW),
            "max_cost_per_hour $9 -> $5, max_cost_total none -> $1",
        )
        change_caps(self.fleet, self.agent, NewCaps(set_by="file"), NOW)
        self.assertEqual(self.agent.account.budget, self.agent.config.budget)
