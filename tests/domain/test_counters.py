"""Sums for windows, on clocks that run forward and clocks that do not."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.counters import KEEP, PerMinute, Tallies, Tally
from agentgateway.domain.windows import HOUR, Calendar

NOON = 1_795_435_200
"""Some full hour of UTC."""


def hours():
    """Fresh tallies for the hours of UTC."""
    return Tallies(Calendar.of("UTC").hour)


class TallyTests(SynchronousTestCase):
    """What is summed up."""

    def test_counts(self):
        """Calls, errors and tokens add up; the error rate is errors a call, and 0 before any call."""
        tally = Tally()
        self.assertEqual(tally.error_rate, 0)
        tally.add(Tally(0, 1, 0, 100, 20))
        tally.add(Tally(0, 1, 1))
        self.assertEqual((tally.calls, tally.errors, tally.tokens, tally.error_rate), (2, 1, 120, 0.5))

    def test_numbers(self):
        """A tally survives as plain numbers."""
        tally = Tally(1, 2, 3, 4, 5)
        self.assertEqual(Tally(*tally.numbers()), tally)


class TalliesTests(SynchronousTestCase):
    """One tally an hour."""

    def test_turn(self):
        """With the hour's end the count begins at nothing; until then it stays."""
        tallies = hours()
        tallies.at(NOON).cost += 5
        self.assertEqual([tallies.at(NOON + t).cost for t in (0, 1, HOUR - 0.001, HOUR)], [5, 5, 5, 0])

    def test_a_little_back(self):
        """A clock set back a little over the hour's turn stays in the new hour: nothing is lost or freed."""
        tallies = hours()
        tallies.at(NOON - 1).cost += 5
        tallies.at(NOON).cost += 3
        self.assertEqual([tallies.at(NOON + t).cost for t in (-1, 0, -1800, 0, -HOUR, HOUR - 1)], [3] * 6)
        self.assertEqual(tallies.window(NOON - 1).start, NOON)

    def test_swinging_clock(self):
        """A clock that swings by hours finds in each hour what was spent there before."""
        tallies = hours()
        for step in (0, 2, 4):
            tallies.at(NOON + step * HOUR).cost += 10 + step
        for _ in range(5):
            for step in (0, 4, 2):
                self.assertEqual(tallies.at(NOON + step * HOUR).cost, 10 + step)

    def test_recovers_from_the_far_future(self):
        """A clock that was wrong by a century for a while is believed again as soon as it is right."""
        tallies = hours()
        tallies.at(NOON).cost += 5
        tallies.at(NOON + 876_000 * HOUR).cost += 7
        self.assertEqual(tallies.at(NOON + 1).cost, 5)
        self.assertEqual(tallies.at(NOON + HOUR).cost, 0)

    def test_bounded(self):
        """However the clock jumps, only a few hours are remembered."""
        tallies = hours()
        for step in range(0, 400, 2):
            tallies.at(NOON - step * HOUR).cost += 1
        self.assertEqual(len(tallies.rows()), KEEP + 1)

    def test_restore(self):
        """What was remembered comes back as it was, and the current hour is the same one."""
        tallies = hours()
        tallies.at(NOON - 1).cost += 5
        tallies.at(NOON).cost += 3
        for now in (NOON + 10, NOON - 10):
            again = Tallies.restore(Calendar.of("UTC").hour, tallies.rows(), now)
            self.assertEqual((again.rows(), again.at(now).cost), (tallies.rows(), 3))

    def test_another_zone(self):
        """When the zone is changed, what was spent today is still spent today."""
        for zone in ("America/New_York", "Asia/Tokyo", "Asia/Kathmandu"):
            tallies = Tallies(Calendar.of("UTC").day)
            tallies.at(NOON).cost += 5
            again = Tallies.restore(Calendar.of(zone).day, tallies.rows(), NOON + 1)
            self.assertEqual(again.at(NOON + 1).cost, 5)

    @given(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.integers(0, 9)), max_size=40))
    def test_a_clock_that_runs_forward(self, steps):
        """Each hour holds what was added in it, and no more."""
        tallies, model, now = hours(), {}, NOON
        for pause, cost in steps:
            now += pause
            tallies.at(now).cost += cost
            model[now // HOUR] = model.get(now // HOUR, 0) + cost
            self.assertEqual(tallies.at(now).cost, model[now // HOUR])


class PerMinuteTests(SynchronousTestCase):
    """`cost_per_minute`."""

    def test_fades(self):
        """A burst counts in full within its minute and fades over the next one."""
        pace = PerMinute()
        pace.add(120, 60)
        self.assertEqual([pace.value(t) for t in (120, 179, 180, 195, 210, 240, 9999)], [60, 60, 60, 45, 30, 0, 0])

    def test_steady(self):
        """A steady stream reads as what it is."""
        pace = PerMinute()
        for second in range(600):
            pace.add(second, 2)
        self.assertAlmostEqual(pace.value(600), 120, delta=2)

    def test_clock_back(self):
        """A clock set back starts the reading anew."""
        pace = PerMinute()
        pace.add(600, 60)
        self.assertEqual(pace.value(30), 0)
