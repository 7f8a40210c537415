"""All caps of one account at once, looked up once a window rather than once a question.

Money that is spent counts against every cap. So what each leaves falls by the same amount, the tightest stays the
tightest, and the next mark to warn at stays the next, until a window turns: between turns a call costs one subtraction.
"""

from collections.abc import Iterator
from typing import Self

import attrs

from agentgateway.config.schema import Budget
from agentgateway.domain.caps import Cap, Crossing, Limit, Spent, Windowed, limits_of
from agentgateway.domain.counters import Tallies


@attrs.define(eq=False)
class Limits:
    """The caps in the order of `limits_of`. `hours` and `days` are the account's own, in which its spending is booked."""

    _limits: tuple[Limit, ...]
    _hours: Tallies
    _days: Tallies
    _left: int = 0
    _tightest: int = 0
    _ends: int | None = None
    """When the window of the tightest cap ends."""
    _to_mark: float = 0
    """What may be spent before a warning is due."""
    _since: float = 0
    _until: float = 0
    """Between these times the numbers above are right."""

    @classmethod
    def of(cls, budget: Budget, life: Spent, hours: Windowed, days: Windowed, own: tuple[Tallies, Tallies]) -> Self:
        """The caps of `budget` over what is spent in the life, the hours and the days; `own` is what is booked here."""
        return cls(limits_of(budget, life, hours, days), *own)

    def __iter__(self) -> Iterator[Limit]:
        return iter(self._limits)

    def __len__(self) -> int:
        return len(self._limits)

    def left(self, now: float) -> int:
        """What the tightest cap leaves of what is not spent; below 0 where one was passed. There must be a cap."""
        if not self._since <= now < self._until:
            self._look_up(now)
        return self._left

    def in_the_way(self, now: float, held: int, reserved: int) -> Cap | None:
        """None where calls may hold so much together; else the cap that forbids it. One that is spent up forbids all."""
        if 0 < self.left(now) >= held:
            return None
        for limit in self._limits:
            spent = limit.tally(now).cost
            if spent >= limit.limit or spent + held > limit.limit:
                return limit.cap(now, reserved)
        return None

    def tightest(self, now: float, reserved: int) -> Cap:
        """The cap of which the least is left; of several, those of which nothing is included, the one that lasts longest."""
        if self.left(now) > reserved:
            return self._limits[self._tightest].cap(now, reserved)
        return next(limit for limit in self._limits if limit.limit - limit.tally(now).cost <= reserved).cap(
            now, reserved
        )

    def least(self, now: float, reserved: int) -> tuple[int, int | None]:
        """What the tightest cap leaves, 0 or more, and when its window ends (None: never)."""
        left = self.left(now) - reserved
        if left > 0:
            return left, self._ends
        return 0, self.tightest(now, reserved).resets_at

    def spend(self, now: float, cost: int, reserved: int) -> tuple[Crossing, ...]:
        """So much was booked just now; gives the warnings it brings."""
        if self._since <= now < self._until:
            self._left -= cost
            self._to_mark -= cost
            if self._to_mark > 0:
                return ()
        found = tuple(crossing for limit in self._limits for crossing in limit.crossings(now, cost, reserved))
        self.forget()
        return found

    def forget(self) -> None:
        """Others have spent, too: everything has to be looked up anew."""
        self._until = 0

    def _look_up(self, now: float) -> None:
        tallies = [limit.tally(now).cost for limit in self._limits]
        left = [limit.limit - spent for limit, spent in zip(self._limits, tallies, strict=True)]
        self._left = min(left)
        self._tightest = left.index(self._left)
        window = self._limits[self._tightest].window
        self._ends = None if window is None else window(now).end
        self._to_mark = min(limit.to_mark(spent) for limit, spent in zip(self._limits, tallies, strict=True))
        spans = (self._hours.stays(now), self._days.stays(now))
        self._since, self._until = max(span[0] for span in spans), min(span[1] for span in spans)
