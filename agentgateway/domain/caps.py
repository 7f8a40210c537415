"""What an account answers with: caps as they stand, warnings, reservations; and the estimate of a call's cost."""

from collections.abc import Callable, Iterator
from math import ceil, inf
from typing import Final, Literal, Protocol

import attrs
import msgspec

from agentgateway.config.schema import Budget
from agentgateway.domain.counters import Tally
from agentgateway.domain.windows import Window

CapName = Literal["hour", "day", "total"]
Spent = Callable[[float], Tally]
"""The sums that count against a cap, as of a moment."""

_MEAN_WEIGHT: Final = 8
_DEVIATION_WEIGHT: Final = 4
_PEAK_WEIGHT: Final = 128


class Cap(msgspec.Struct, frozen=True, gc=False):
    """One cap as it stands: nano-dollars, and the epoch second at which its window ends (None: never)."""

    name: CapName
    limit: int
    spent: int
    reserved: int
    resets_at: int | None

    @property
    def remaining(self) -> int:
        """What is neither spent nor reserved; 0 where a cap was passed."""
        return max(0, self.limit - self.spent - self.reserved)

    @property
    def exhausted(self) -> bool:
        """Spent, not only reserved: nothing but the window's end or a higher cap helps."""
        return self.spent >= self.limit


@attrs.frozen
class Limit:
    """A cap that is set, and where to look up what is spent of it."""

    name: CapName
    limit: int
    tally: Spent
    window: Callable[[float], Window] | None
    warn_at: tuple[float, ...]
    marks: tuple[tuple[float, float], ...] = attrs.field(init=False)
    """The fractions to warn at, ascending, each with its nano-dollars; the last is the cap itself."""

    @marks.default
    def _marks(self) -> tuple[tuple[float, float], ...]:
        return tuple((fraction, self.limit * fraction) for fraction in (*self.warn_at, 1))

    def cap(self, now: float, reserved: int) -> Cap:
        """The cap as it stands."""
        resets_at = self.window(now).end if self.window else None
        return Cap(self.name, self.limit, self.tally(now).cost, reserved, resets_at)

    def to_mark(self, spent: int) -> float:
        """What may be spent from there before the next mark is reached."""
        return min((ceil(mark) - spent for _, mark in self.marks if mark > spent), default=inf)

    def crossings(self, now: float, cost: int, reserved: int) -> "Iterator[Crossing]":
        """The marks that a settlement of `cost`, booked just now, went over."""
        spent = self.tally(now).cost
        before = spent - cost
        for fraction, mark in self.marks:
            if mark > spent:
                return
            if before < mark:
                yield Crossing(fraction, self.cap(now, reserved))


class Windowed(Protocol):
    """Sums by window: `Tallies`, or what stands for them where a fleet's are asked for."""

    def at(self, now: float) -> Tally:
        """The current window's tally."""

    def window(self, now: float) -> Window:
        """The current window."""


def limits_of(budget: Budget, life: Spent, hours: Windowed, days: Windowed) -> tuple[Limit, ...]:
    """The caps that `budget` sets; the one that lasts longest comes first, since it says best when a refusal ends."""
    found = []
    if budget.max_cost_total is not None:
        found.append(Limit("total", budget.max_cost_total, life, None, budget.warn_at))
    if budget.max_cost_per_day is not None:
        found.append(Limit("day", budget.max_cost_per_day, days.at, days.window, budget.warn_at))
    if budget.max_cost_per_hour is not None:
        found.append(Limit("hour", budget.max_cost_per_hour, hours.at, hours.window, budget.warn_at))
    return tuple(found)


@attrs.define
class CapExceeded(Exception):
    """A call does not fit under `cap`; nothing was reserved."""

    cap: Cap


@attrs.define
class NotOpen(Exception):
    """A reservation that is settled, released or not this account's; nothing was changed."""

    id: str


@attrs.frozen
class Crossing:
    """A settlement took the spend over a `fraction` of a cap: one of `warn_at`, or 1 when the cap is reached."""

    fraction: float
    cap: Cap


@attrs.define(eq=False)
class Reservation:
    """What one call in flight holds (`amount`), has cost so far and may cost before it could be stopped: nano-dollars."""

    id: str
    agent: str
    amount: int
    accrued: int = 0
    risk: int = 0
    stop: Callable[[], object] | None = None
    """Cuts the call; None where it cannot be."""


@attrs.define
class Estimate:
    """What a call of one agent costs, from its latest ones: a decaying mean, mean deviation and maximum."""

    mean: int = 0
    """0: no call has cost anything yet."""
    deviation: int = 0
    peak: int = 0

    def learn(self, cost: int) -> None:
        """One more call's cost; free calls say nothing about those that are paid for."""
        if cost <= 0:
            return
        self.peak = max(cost, self.peak - self.peak // _PEAK_WEIGHT)
        if not self.mean:
            self.mean, self.deviation = cost, cost // 2
            return
        error = cost - self.mean
        self.mean = max(1, self.mean + error // _MEAN_WEIGHT)
        self.deviation += (abs(error) - self.deviation) // _DEVIATION_WEIGHT

    @property
    def amount(self) -> int:
        """Enough for most calls: the mean and twice the deviation."""
        return self.mean + 2 * self.deviation

    def risk(self, worst: int, certain: int) -> int:
        """What a call may cost that nothing can stop: over its input, twice what the dearest of late cost, or `worst`."""
        return min(worst, certain + 2 * self.peak) if self.peak else worst
