"""The time that a fleet's windows turn by: that of the shared store, kept between its answers by a clock that never steps.

An answer says what time it was between the question's going out and its coming in. The time told here stays within all
that the latest answers allow, and is never behind what the latest one said.
"""

import time
from collections.abc import Callable

SUSPENDED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where there is such a clock."""


def _steady() -> float:
    return time.clock_gettime(SUSPENDED)


class FleetClock:
    """`now` in epoch seconds; before anything was heard it goes by this machine. `steady` and `wall` read the clocks."""

    def __init__(self, steady: Callable[[], float] = _steady, wall: Callable[[], float] = time.time) -> None:
        self.steady = steady
        self._ahead = wall() - steady()

    def now(self) -> float:
        """The fleet's time."""
        return self.steady() + self._ahead

    def heard(self, time: float, sent: float) -> float:
        """An answer that came just now said `time`; it was asked at `sent` (by `steady`). Gives the fleet's time of that."""
        latest, earliest = time - sent, time - self.steady()
        self._ahead = max(earliest, min(latest, self._ahead))
        return sent + self._ahead
