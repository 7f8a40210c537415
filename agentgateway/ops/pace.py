"""How many agents a process asks about at once, and how soon it asks again: so that a whole fleet can be answered.

Nobody knows what the others ask just now; how long an answer takes says it. Where answers take long each process asks
about fewer agents and rests for longer, so that only a part of a large fleet asks at any moment. Who got no answer at
all asks about half as many, after a pause that grows, and not when everybody else does. With answers all of that goes back.
"""

from collections.abc import Callable
from random import uniform
from typing import Any, Final

import attrs

MOST: Final = 200
"""Agents in one question: Redis does nothing else meanwhile."""
FEWEST: Final = 10
"""The same where answers take long or do not come; so many more are asked about after each answer that was quick."""
QUICK: Final = 0.025
"""Seconds: a part of what an answer may take."""
STEP: Final = 0.0125
"""Seconds between two looks at whether an answer is there."""
REST: Final = 4
"""After a slow answer nothing is asked for so many times as long as it took."""
RETRY: Final = 0.25
"""Seconds until the store is asked again that did not answer; twice as many each time that it does not again."""
PATIENT: Final = 1.0
"""No more than these: the others take who is silent for longer than `TTL` for gone."""


@attrs.define
class Pace:
    """One process's. `dice` gives any number between two."""

    dice: Callable[[float, float], float] = uniform
    portion: int = MOST
    """Agents in the next question."""
    free_at: float = 0.0
    """When the next question may go out, by the reactor's clock."""
    _retry: float = RETRY

    @property
    def words(self) -> int:
        """How many words on agents may follow an answer: the store has to do something for each of them, too."""
        return max(1, self.portion // 8)

    def answered(self, now: float, took: float) -> None:
        """An answer came, `took` seconds after the question."""
        self._retry = RETRY
        if took < QUICK:
            self.portion, self.free_at = min(MOST, self.portion + FEWEST), now
        else:
            self.portion, self.free_at = max(FEWEST, self.portion // 2), now + REST * took

    def unanswered(self, now: float) -> None:
        """None came."""
        self.portion = max(FEWEST, self.portion // 2)
        self.free_at = now + self._retry * self.dice(1.0, 1.5)
        self._retry = min(PATIENT, 2 * self._retry)

    def begin_anew(self) -> None:
        """All of the fleet has much to tell from now on."""
        self.portion = FEWEST


@attrs.define
class Stopwatch:
    """How long an answer takes, in steps: one in which this process was busy counts once."""

    _reactor: Any
    took: float = 0.0
    """Seconds so far."""
    _look: Any = None

    def begin(self) -> None:
        """From now on."""
        self.took = 0.0
        self._look = self._reactor.callLater(STEP, self._longer)

    def end(self) -> None:
        """It is over."""
        if self._look is not None and self._look.active():
            self._look.cancel()

    def _longer(self) -> None:
        self.took += STEP
        self._look = self._reactor.callLater(STEP, self._longer)
