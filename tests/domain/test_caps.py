"""Caps as they stand, and what a call is likely to cost."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.caps import Cap, Estimate, limits_of
from agentgateway.domain.counters import Tallies, Tally
from agentgateway.domain.windows import Calendar

NOON = 1_795_435_200


class CapTests(SynchronousTestCase):
    """What an operator reads about a cap."""

    def test_remaining(self):
        """What is reserved does not remain, but only what is spent exhausts; a passed cap has nothing remaining."""
        self.assertEqual((Cap("hour", 10, 4, 5, NOON).remaining, Cap("hour", 10, 4, 6, NOON).exhausted), (1, False))
        self.assertEqual((Cap("hour", 10, 12, 5, NOON).remaining, Cap("hour", 10, 10, 0, NOON).exhausted), (0, True))

    def test_limits(self):
        """Only caps that are set count; each knows its spend and when its window ends."""
        calendar, life = Calendar.of("UTC"), Tally(cost=30)
        hours, days = Tallies(calendar.hour), Tallies(calendar.day)
        hours.at(NOON).cost, days.at(NOON).cost = 10, 20
        budget = Budget(max_cost_per_hour=100, max_cost_per_day=200, max_cost_total=300)
        found = [limit.cap(NOON, 7) for limit in limits_of(budget, lambda now: life, hours, days)]
        hour, day = Cap("hour", 100, 10, 7, NOON + 3600), Cap("day", 200, 20, 7, NOON + 12 * 3600)
        self.assertEqual(found, [Cap("total", 300, 30, 7, None), day, hour])
        self.assertEqual(limits_of(Budget(), lambda now: life, hours, days), ())


class EstimateTests(SynchronousTestCase):
    """The running estimate of a call's cost."""

    def learned(self, *costs):
        estimate = Estimate()
        for cost in costs:
            estimate.learn(cost)
        return estimate

    def test_steady(self):
        """Calls that cost the same are soon expected to cost just that."""
        self.assertTrue(1000 <= self.learned(*[1000] * 50).amount <= 1010)

    def test_covers_most(self):
        """Of calls that vary, most stay within the estimate."""
        estimate, covered = self.learned(1000), 0
        for i in range(400):
            cost = 500 + i * 7919 % 1000
            covered += cost <= estimate.amount
            estimate.learn(cost)
        self.assertGreater(covered, 300)

    def test_follows(self):
        """When calls become dearer or cheaper the estimate follows."""
        self.assertGreater(self.learned(*[10] * 50, *[1000] * 20).amount, 900)
        self.assertLess(self.learned(*[1000] * 50, *[10] * 60).amount, 60)

    def test_free_calls(self):
        """Calls that cost nothing teach nothing."""
        self.assertEqual(self.learned(1000, 0, 0, 0), self.learned(1000))

    @given(st.lists(st.integers(0, 10**15)))
    def test_sane(self, costs):
        """Whatever calls cost, the estimate is no less than nothing and never far above the dearest."""
        estimate = self.learned(*costs)
        self.assertTrue(0 <= estimate.amount <= 3 * max(costs, default=0) + 3)
        self.assertEqual(bool(estimate.mean), any(costs))
