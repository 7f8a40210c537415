"""What several workers did while the store that they share is away, shown as one."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain import sums
from agentgateway.domain.untold import agent_part, budget_part, former, is_untold, sums_of
from tests.ops.fleets import Member, Time, member, run
from tests.stores.live.memory import MemoryServer

CENT = 10_000_000
CONFIG = "agents: {a: {budget: {max_cost_per_hour: 10}}, b: {}}\nstore: 'memory:'"


class UntoldTests(SynchronousTestCase):
    """Two processes; each has made a call of its own that the other knows of, and then the store goes away."""

    def setUp(self) -> None:
        """The one call cost a cent, the other two."""
        self.time = Time()
        self.server = MemoryServer(self.time.wall)
        self.both = [member(self.server, self.time, CONFIG, name, on_outage="spend") for name in ("one", "other")]
        run(self.both, 1)
        for who, cents in zip(self.both, (1, 2), strict=True):
            self.spend(who, cents)
        run(self.both, 3)

    def spend(self, who: Member, cents: int, error: bool = False) -> None:
        """A call of agent a."""
        account, now = who.agent("a").account, self.time.wall()
        account.settle(now, account.hold(f"{now}{account.life.calls}", 0), cents * CENT)
        account.count(now, error=error, input_tokens=3, output_tokens=2)

    def cut(self, cut: bool = True) -> None:
        """The store goes, or comes back."""
        for who in self.both:
            who.live.cut = cut
        run(self.both, 3)

    def shown(self) -> list[dict[str, Any]]:
        """As each shows agent a."""
        return [agent_part(who.agent("a"), self.time.moment()) for who in self.both]

    def test_there(self) -> None:
        """While the store is there nothing is untold, however lately it was spent."""
        self.spend(self.both[0], 5)
        self.assertEqual(["untold" in view for view in self.shown()], [False, False])

    def test_away(self) -> None:
        """What each did since the store went is added up, and what was told before stands once; the same by the budget."""
        self.cut()
        self.assertEqual(["untold" in view for view in self.shown()], [False, False])
        self.spend(self.both[0], 4, error=True)
        self.spend(self.both[1], 8)
        found = sums.agent_of(self.shown())
        self.assertEqual((found["cost_this_hour"], found["cost_today"], found["total_cost"]), (0.15, 0.15, 0.15))
        self.assertEqual((found["calls_this_hour"], found["call_count"], found["error_rate"]), (4, 4, 0.25))
        self.assertEqual((found["error_count"], found["input_tokens"], found["output_tokens"]), (1, 12, 8))
        self.assertEqual(found["budget"]["remaining"], 9.85)
        budgets = [budget_part(who.agent("a"), self.time.moment()) for who in self.both]
        self.assertEqual(sums.budget_of(budgets), found["budget"])
        self.assertEqual([name for name in (*found, *found["budget"]) if name == "untold"], [])
        self.assertEqual([len(sums.agent_of([view])) for view in self.shown()], [len(found)] * 2)
        totals = [sums_of((one.account for one in who.fleet), self.time.wall())["untold"] for who in self.both]
        self.assertEqual([one["cost_this_hour"] for one in totals], [0.04, 0.08])
        self.assertEqual([one["errors_this_hour"] for one in totals], [1, 0])

    def test_turned(self) -> None:
        """What was spent in the hour before is in the total, and not in the new hour."""
        self.cut()
        self.spend(self.both[0], 4)
        self.time.advance(3600)
        self.spend(self.both[0], 5)
        found = sums.agent_of(self.shown())
        self.assertEqual((found["cost_this_hour"], found["total_cost"]), (0.05, 0.12))

    def test_back(self) -> None:
        """Once it is told both know of all, and nothing is counted twice."""
        self.cut()
        self.spend(self.both[0], 4)
        self.spend(self.both[1], 8)
        self.cut(False)
        self.assertEqual([(view["total_cost"], "untold" in view) for view in self.shown()], [(0.15, False)] * 2)
        self.assertEqual(sums.agent_of(self.shown())["total_cost"], 0.15)

    def test_former(self) -> None:
        """What a run before this one did the others know already."""
        self.cut()
        account = self.both[0].agent("a").account
        self.spend(self.both[0], 4)
        self.assertTrue(is_untold(account))
        former(account)
        self.assertFalse(is_untold(account))
