"""What an agent's budget leaves: for which caps, and for what a call asks."""

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.caps import Cap
from agentgateway.domain.purse import UNKNOWN_SHARE
from agentgateway.domain.windows import HOUR
from tests.domain.test_account import ESTIMATE, HARD, NOON, account, spend


class CapTests(SynchronousTestCase):
    """Which cap says no, when, and until when."""

    def test_exhausted(self):
        """A spent cap lets nothing pass until its window ends."""
        account_ = account()
        spend(account_, 100)
        cap = account_.fits(NOON + 1, 0)
        self.assertEqual((cap.name, cap.resets_at, cap.exhausted), ("hour", NOON + HOUR, True))
        self.assertEqual(account_.exhausted(NOON + HOUR - 0.001), cap)
        self.assertIsNone(account_.exhausted(NOON + HOUR))
        self.assertIsNone(account_.fits(NOON + HOUR, 100))

    def test_the_longest_cap_is_named(self):
        """Where several caps are spent, the one that lasts longest is named: waiting for the others would not help."""
        account_ = account()
        spend(account_, 1000)
        self.assertEqual([cap.name for cap in account_.caps(NOON)], ["total", "day", "hour"])
        self.assertEqual(account_.fits(NOON, 1), Cap("total", 1000, 1000, 0, None))
        self.assertEqual(account_.exhausted(NOON + 24 * HOUR).name, "total")

    def test_nothing_allowed(self):
        """A cap of nothing lets nothing pass, free calls aside, which do not ask."""
        self.assertTrue(account(Budget(max_cost_per_day=0)).fits(NOON, 0).exhausted)

    def test_set_caps(self):
        """Caps change at once: raised they let calls pass, lowered they stop new ones, and spend stays spent."""
        account_ = account()
        spend(account_, 90)
        account_.set_caps(attrs.evolve(HARD, max_cost_per_hour=50))
        self.assertEqual((account_.fits(NOON, 1).spent, account_.room(NOON)), (90, 0))
        account_.set_caps(attrs.evolve(HARD, max_cost_per_hour=None))
        self.assertEqual(account_.room(NOON), 160)

    def test_lowered_cap_cuts(self):
        """Lowering a cap below what a running stream has cost cuts it; a stream still below goes on."""
        for budget in (HARD, ESTIMATE):
            account_ = account(budget)
            call = account_.reserve(NOON, 80, "a")
            account_.set_caps(attrs.evolve(budget, max_cost_total=40))
            self.assertEqual([account_.accrue(NOON, call, cost) for cost in (39, 41)], [False, True])

    def test_warnings(self):
        """Each fraction of a cap is warned of once in its window, and again in the next; 1 says the cap is reached."""
        account_ = account(Budget(max_cost_per_hour=100))
        found = [[crossing.fraction for crossing in spend(account_, cost)] for cost in (74, 1, 10, 10, 1, 9)]
        self.assertEqual(found, [[], [0.75], [], [0.95], [], [1]])
        found = [crossing.fraction for crossing in spend(account_, 150, NOON + HOUR)]
        self.assertEqual(found, [0.75, 0.95, 1])

    def test_warning_names_the_cap(self):
        """A warning tells of each cap that is crossed, with its figures."""
        account_ = account(Budget(max_cost_per_hour=100, max_cost_total=200, warn_at=(0.5,)))
        self.assertEqual([c.cap.name for c in spend(account_, 100)], ["total", "hour", "hour"])
        self.assertEqual(spend(account_, 100)[0].cap, Cap("total", 200, 200, 0, None))


class QuoteTests(SynchronousTestCase):
    """What a call reserves."""

    def test_quote(self):
        """The worst case is what is asked for, history or not."""
        account_ = account()
        spend(account_, 1)
        self.assertEqual(account_.quote(NOON, 5000), 5000)

    def test_first_burst(self):
        """An agent without history may begin many calls at once, though each might cost the whole budget."""
        cap = 5 * 10**9
        account_ = account(Budget(max_cost_per_hour=cap))
        for number in range(50):
            account_.reserve(NOON, account_.quote(NOON, 2 * cap), str(number))
            self.assertLessEqual(account_.reserved, cap)
            if number == 0:
                self.assertEqual(account_.reserved, cap // UNKNOWN_SHARE)

    def test_no_room_but_what_others_hold(self):
        """While calls in flight hold the rest of a budget no further call begins, but a free one may."""
        account_ = account(ESTIMATE)
        spend(account_, 20)
        while account_.room(NOON):
            account_.reserve(NOON, account_.quote(NOON, 500), str(account_.reserved))
        cap = account_.fits(NOON, account_.quote(NOON, 500))
        self.assertEqual((cap.spent, cap.reserved, cap.exhausted), (20, 80, False))
        self.assertIsNone(account_.fits(NOON, account_.quote(NOON, 0)))

    def test_history(self):
        """With history a call holds about what the others cost, but no more than its worst case or the room."""
        account_ = account(attrs.evolve(ESTIMATE, max_cost_per_hour=None, max_cost_per_day=None))
        for _ in range(30):
            spend(account_, 10)
        self.assertTrue(10 <= account_.quote(NOON, 5000) <= 14)
        self.assertEqual(account_.quote(NOON, 3), 3)
        spend(account_, 698)
        self.assertEqual(account_.quote(NOON, 5000), account_.room(NOON))
        self.assertIsNone(account_.fits(NOON, account_.quote(NOON, 5000)))

    @given(st.integers(0, 90), st.lists(st.integers(0, 60), max_size=4), st.integers(0, 200))
    def test_quoted(self, usual, held, worst):
        """The short way to what is mostly quoted gives what the long way does, whatever is spent and held."""
        account_ = account(ESTIMATE)
        spend(account_, usual)
        for number, amount in enumerate(held):
            account_.hold(str(number), amount)
        self.assertEqual(account_.quote(NOON, worst), account_.quoted(worst, account_.room(NOON)))
