"""One agent's budget, as its operator sees it."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.account import Account
from agentgateway.domain.caps import Cap, CapExceeded, NotOpen
from agentgateway.domain.windows import HOUR, Calendar

NOON = 1_795_435_200
"""Noon of some day, UTC."""
HARD = Budget(max_cost_per_hour=100, max_cost_per_day=250, max_cost_total=1000, enforcement="hard")
ESTIMATE = attrs.evolve(HARD, enforcement="estimate")


def account(budget=HARD, zone="UTC"):
    """A fresh account."""
    return Account.new("writer", budget, Calendar.of(zone))


def spend(account, cost, now=NOON):
    """One call from beginning to end, whatever the caps say."""
    return account.settle(now, account.hold(f"call-{account.life.cost}-{now}", 0), cost)


class ReservationTests(SynchronousTestCase):
    """A call's money, from reserving to settling."""

    def test_reserved_money_is_taken(self):
        """What a call in flight holds cannot be held by another."""
        account_ = account()
        account_.reserve(NOON, 60, "a")
        self.assertEqual((account_.room(NOON), account_.reserved), (40, 60))
        error = self.assertRaises(CapExceeded, account_.reserve, NOON, 41, "b")
        self.assertEqual(error.cap, Cap("hour", 100, 0, 60, NOON + HOUR))
        self.assertFalse(error.cap.exhausted)
        account_.reserve(NOON, 40, "b")
        self.assertEqual(account_.room(NOON), 0)

    def test_settle(self):
        """When a call is settled its true cost is spent, and the rest of what it held is free again."""
        account_ = account()
        account_.settle(NOON, account_.reserve(NOON, 60, "a"), 25)
        self.assertEqual((account_.reserved, account_.room(NOON)), (0, 75))
        self.assertEqual((account_.hour(NOON).cost, account_.day(NOON).cost, account_.life.cost), (25, 25, 25))

    def test_settled_once(self):
        """A second settlement, or a release after it, raises and changes nothing."""
        account_ = account()
        call = account_.reserve(NOON, 60, "a")
        account_.settle(NOON, call, 25)
        before = account_.snapshot()
        self.assertRaises(NotOpen, account_.settle, NOON, call, 25)
        self.assertRaises(NotOpen, account_.release, call)
        self.assertRaises(NotOpen, account_.accrue, NOON, call, 30)
        self.assertRaises(NotOpen, account().settle, NOON, call, 1)
        self.assertEqual(account_.snapshot(), before)

    def test_release(self):
        """A call that never went out costs nothing."""
        account_ = account()
        account_.release(account_.reserve(NOON, 60, "a"))
        self.assertEqual((account_.room(NOON), account_.life.cost, account_.open), (100, 0, ()))

    def test_nonsense(self):
        """Negative money and an id that is in use are mistakes of the program."""
        account_ = account()
        call = account_.reserve(NOON, 1, "a")
        self.assertRaises(ValueError, account_.reserve, NOON, 1, "a")
        self.assertRaises(ValueError, account_.reserve, NOON, -1, "b")
        self.assertRaises(ValueError, account_.settle, NOON, call, -1)
        self.assertEqual(account_.open, (call,))

    def test_no_caps(self):
        """An agent without caps is counted, and never refused."""
        account_ = account(Budget())
        call = account_.reserve(NOON, 10**18, "a")
        self.assertFalse(account_.accrue(NOON, call, 10**18))
        self.assertEqual(account_.settle(NOON, call, 10**18), ())
        self.assertEqual((account_.room(NOON), account_.fits(NOON, 10**18), account_.life.cost), (None, None, 10**18))


class HardTests(SynchronousTestCase):
    """`enforcement: hard`: the worst case is reserved."""

    def test_within_its_reserve(self):
        """A stream may use all it holds, even where that is the last of the budget."""
        account_ = account()
        call = account_.reserve(NOON, 100, "a")
        self.assertEqual([account_.accrue(NOON, call, cost) for cost in (1, 99, 100)], [False] * 3)

    def test_outgrown(self):
        """A stream that costs more than was thought goes on while there is room, and is cut where there is none."""
        account_ = account()
        call = account_.reserve(NOON, 30, "a")
        account_.reserve(NOON, 50, "b")
        self.assertEqual([account_.accrue(NOON, call, cost) for cost in (40, 50, 51)], [False, False, True])
        self.assertEqual((call.amount, account_.reserved), (50, 100))

    def test_over_the_window_turn(self):
        """A call holds its money in whichever hour it is, and is charged to the one in which it ends."""
        account_ = account()
        call = account_.reserve(NOON + HOUR - 1, 60, "a")
        self.assertEqual(account_.room(NOON + HOUR), 40)
        account_.settle(NOON + HOUR + 1, call, 50)
        self.assertEqual((account_.hour(NOON + HOUR + 1).cost, account_.room(NOON + HOUR + 1)), (50, 50))


class EstimateTests(SynchronousTestCase):
    """`enforcement: estimate`: what calls lately cost is reserved, and streams are cut at the cap."""

    def test_cut_at_the_cap(self):
        """A stream that reaches a cap is cut, and what it cost over it is told truthfully."""
        account_ = account(ESTIMATE)
        call = account_.reserve(NOON, account_.quote(NOON, 500), "a")
        self.assertEqual([account_.accrue(NOON, call, cost) for cost in (30, 99, 103)], [False, False, True])
        account_.settle(NOON, call, 103)
        self.assertEqual((account_.hour(NOON).cost, account_.room(NOON)), (103, 0))
        self.assertTrue(account_.fits(NOON, 0).exhausted)

    def test_streams_share_the_cap(self):
        """Many streams at once are all cut when together they reach the cap; each passes it by a chunk at most."""
        account_, chunk = account(ESTIMATE), 3
        calls = [account_.reserve(NOON, account_.quote(NOON, 12), str(number)) for number in range(8)]
        while calls:
            for call in list(calls):
                if account_.accrue(NOON, call, call.accrued + chunk):
                    account_.settle(NOON, call, call.accrued)
                    calls.remove(call)
        self.assertTrue(100 <= account_.hour(NOON).cost <= 100 + 8 * chunk)

    def test_cost_never_falls(self):
        """A count that goes back is not believed."""
        account_ = account(ESTIMATE)
        call = account_.reserve(NOON, 10, "a")
        account_.accrue(NOON, call, 20)
        account_.accrue(NOON, call, 5)
        self.assertEqual((call.accrued, account_.accrued), (20, 20))


class CalendarTests(SynchronousTestCase):
    """Budgets where clocks change."""

    def day_budget(self, zone, start, hours):
        """Spends all of a day's budget at `start`; True when it is back `hours` later and not before."""
        account_ = account(Budget(max_cost_per_day=10), zone)
        spend(account_, 10, start)
        end = start + hours * HOUR
        return (account_.exhausted(end - 1) is not None, account_.exhausted(end) is None) == (True, True)

    def test_midnight_and_summer_time(self):
        """A day's budget is back at local midnight, after 24, 23 or 25 hours as the clocks say."""
        for zone, start, hours in [
            ("UTC", NOON - 12 * HOUR, 24),
            ("Europe/Berlin", 1_774_738_800, 23),
            ("Europe/Berlin", 1_792_879_200, 25),
            ("America/New_York", 1_772_946_000, 23),
            ("America/New_York", 1_793_505_600, 25),
            ("Australia/Lord_Howe", 1_791_034_200, 23.5),
            ("Australia/Lord_Howe", 1_775_307_600, 24.5),
        ]:
            self.assertTrue(self.day_budget(zone, start, hours), (zone, start))

    def test_repeated_hour(self):
        """The hour that comes twice in autumn has its budget twice."""
        account_, first = account(Budget(max_cost_per_hour=10), "Europe/Berlin"), 1_792_886_400
        spend(account_, 10, first)
        self.assertIsNone(account_.exhausted(first + HOUR))

    def test_clock_back_and_forth(self):
        """A clock stepped back and forth over the turn of the hour frees no budget and loses no spend."""
        account_ = account()
        spend(account_, 100, NOON - 1)
        spend(account_, 100, NOON)
        for step in (-1, 0, -600, 0, -1, 30):
            self.assertEqual(account_.room(NOON + step), 0)
        self.assertEqual(account_.life.cost, 200)

    def test_other_zone(self):
        """Changing the zone of budgets keeps what this hour and this day have cost."""
        account_ = account()
        spend(account_, 70)
        account_.set_calendar(Calendar.of("Asia/Kathmandu"), NOON + 5)
        self.assertEqual((account_.hour(NOON + 5).cost, account_.room(NOON + 5)), (70, 30))

    def test_pace(self):
        """Cost and calls per minute follow what was just settled and counted."""
        account_ = account()
        spend(account_, 30)
        account_.count(NOON, error=True, input_tokens=5, output_tokens=6)
        self.assertEqual((account_.cost_pace.value(NOON), account_.call_pace.value(NOON)), (30, 1))
        hour = account_.hour(NOON)
        self.assertEqual((hour.calls, hour.errors, hour.tokens, account_.life.calls), (1, 1, 11, 1))
