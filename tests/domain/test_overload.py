"""When late turns are an overload, and when they are none."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.overload import LATE, PATIENCE, PROMPT, Overload

PARTS = st.integers(0, 640).map(lambda number: number / 64)
"""Seconds that add up without rounding."""


def after(*turns: tuple[float, float], overload: Overload | None = None) -> list[bool]:
    """Whether it is an overload behind each of the turns: (seconds since the last one, how late)."""
    overload, now, told = overload or Overload(), 0.0, []
    for passed, late in turns:
        now += passed
        overload.sample(now, late)
        told.append(overload.active)
    return told


class OverloadTests(SynchronousTestCase):
    """What a turn that comes late says."""

    def test_one_pause(self) -> None:
        """A machine that slept for an hour is not overloaded."""
        self.assertEqual(after((0.1, 0), (3600, 3600), (0.1, 0), (0.1, 0)), [False] * 4)

    def test_standing_queue(self) -> None:
        """Turns that are all late for a second are."""
        self.assertEqual(after((1.0, 0.9), (1.0, 0.9)), [False, True])
        self.assertEqual(after((0.7, 0.6), (0.7, 0.6), (0.7, 0.6)), [False, False, True])

    def test_caught_up_in_between(self) -> None:
        """One turn that is in time begins it anew."""
        self.assertEqual(after(*[(1.0, 0.9), (0.1, 0.0)] * 10), [False] * 20)

    def test_end(self) -> None:
        """It ends when turns were in time for a second, not when they were merely less late."""
        overload = Overload(True)
        self.assertEqual(after(*[(0.4, 0.3)] * 20, overload=overload), [True] * 20)
        self.assertEqual(after(*[(0.5, 0.0)] * 3, overload=overload), [True, True, False])

    def test_change_is_told_once(self) -> None:
        """Only the turn that changes it says so."""
        overload = Overload()
        turns = [(float(at), 0.9) for at in range(5)] + [(5.0 + at, 0.0) for at in range(5)]
        self.assertEqual([at for at, late in turns if overload.sample(at, late)], [1.0, 6.0])

    @given(st.lists(st.tuples(PARTS, PARTS), max_size=50))
    def test_every_story(self, turns: list[tuple[float, float]]) -> None:
        """However turns come: it changes only behind a second of turns that all said so."""
        overload, now, seen = Overload(), 0.0, []
        for passed, late in turns:
            now += passed
            seen.append((now, late))
            if overload.sample(now, late):
                said = [late > LATE if overload.active else late < PROMPT for at, late in seen if at > now - PATIENCE]
                self.assertTrue(all(said))
                seen.clear()
