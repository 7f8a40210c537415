"""What one agent has: spent, held by calls in flight, capped; and what that leaves room for. Nothing is changed by asking.

Amounts are integer nano-dollars. Reserved money counts against every cap as if spent, and belongs to no window.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Self

import attrs

from agentgateway.config.schema import Budget
from agentgateway.domain.caps import Cap, Estimate, Reservation
from agentgateway.domain.counters import PerMinute, Tallies, Tally
from agentgateway.domain.inflight import InFlight
from agentgateway.domain.journal import Record
from agentgateway.domain.limits import Limits
from agentgateway.domain.windows import Calendar

if TYPE_CHECKING:
    from agentgateway.domain.share import Share

UNKNOWN_SHARE: Final = 4
"""Before an agent has any history a call reserves at most this part of the room left, so that a first burst gets in."""


@attrs.define(eq=False)
class Purse:
    """One agent's spend, counts, reservations and caps."""

    id: str
    budget: Budget
    _hours: Tallies
    _days: Tallies
    journal: Callable[[Record], None] | None = None
    life: Tally = attrs.Factory(Tally)
    """All it ever did."""
    estimate: Estimate = attrs.Factory(Estimate)
    cost_pace: PerMinute = attrs.Factory(PerMinute)
    """Nano-dollars a minute."""
    call_pace: PerMinute = attrs.Factory(PerMinute)
    """Calls a minute."""
    share: "Share | None" = None
    _open: InFlight = attrs.Factory(InFlight)
    limits: Limits = attrs.field(init=False)
    """The caps that are set."""
    capped: bool = attrs.field(init=False)
    """Whether any is."""

    def __attrs_post_init__(self) -> None:
        self.set_caps(self.budget)

    @classmethod
    def new(cls, id: str, budget: Budget, calendar: Calendar, journal: Callable[[Record], None] | None = None) -> Self:
        """An account nothing was spent from."""
        return cls(id, budget, Tallies(calendar.hour), Tallies(calendar.day), journal)

    def hour(self, now: float) -> Tally:
        """The current clock hour's sums; the fleet's."""
        own = self._hours.at(now)
        return own if self.share is None else self.share.hour.joined(own, self._hours.start)

    def day(self, now: float) -> Tally:
        """The current day's sums; the fleet's."""
        own = self._days.at(now)
        return own if self.share is None else self.share.day.joined(own, self._days.start)

    @property
    def total(self) -> Tally:
        """All that was ever done; by the fleet."""
        return self.life if self.share is None else self.share.life.joined(self.life, 0)

    def own_windows(self) -> tuple[Tallies, Tallies]:
        """What was done here, by hours and by days."""
        return self._hours, self._days

    def reservation(self, id: str) -> Reservation | None:
        """The reservation of a call in flight."""
        return self._open.get(id)

    @property
    def open(self) -> tuple[Reservation, ...]:
        """The reservations in flight, oldest first."""
        return tuple(self._open)

    @property
    def reserved(self) -> int:
        """What the calls in flight hold, all together."""
        return self._open.reserved

    @property
    def accrued(self) -> int:
        """What they have cost so far."""
        return self._open.accrued

    def set_caps(self, budget: Budget) -> None:
        """Other caps, for calls in flight too."""
        if self.share is not None and budget != self.budget:
            self.share.give_up()
        self.budget = budget
        own, life = self.own_windows(), self.life
        if self.share is None:
            self.limits = Limits.of(budget, lambda now: life, *own, own)
        else:
            self.limits = Limits.of(budget, lambda now: self.total, *self.share.joint(*own), own)
        self.capped = len(self.limits) > 0

    def set_calendar(self, calendar: Calendar, now: float) -> None:
        """Other windows; what was spent in the current ones is carried over."""
        self._hours = Tallies.restore(calendar.hour, self._hours.rows(), now)
        self._days = Tallies.restore(calendar.day, self._days.rows(), now)
        self.set_caps(self.budget)

    def caps(self, now: float) -> Iterator[Cap]:
        """The caps that are set; the one that lasts longest comes first."""
        return (limit.cap(now, self.reserved) for limit in self.limits)

    def fits(self, now: float, amount: int) -> Cap | None:
        """None where `amount` may be reserved; else the cap in its way. A cap that is exhausted lets nothing pass."""
        if not self.capped:
            return None
        held = self.held_with(amount)
        cap = self.limits.in_the_way(now, held, self._open.reserved)
        if cap is None and self.share is not None and not self.share.covers(now, held):
            return self.tightest(now)
        return cap

    def held_with(self, amount: int) -> int:
        """What all calls hold together with one more of `amount`, as caps see it."""
        return max(self._open.reserved + amount, self._open.exposed + min(amount, 1))

    def exhausted(self, now: float) -> Cap | None:
        """The cap that is spent up, if one is: what pauses an agent."""
        return next((cap for cap in self.caps(now) if cap.exhausted), None)

    def room(self, now: float) -> int | None:
        """What may still be reserved under every cap, 0 or more; None where there is no cap."""
        if not self.capped:
            return None
        left = max(0, self.left(now))
        return left if self.share is None else self.share.room(now, left)

    def left(self, now: float) -> int:
        """What the tightest cap leaves, whoever may have it; below 0 where one was passed. There must be a cap."""
        return self.limits.left(now) - self._open.reserved

    def tightest(self, now: float) -> Cap | None:
        """The cap of which the least is left; of several the one that lasts longest. None where there is no cap."""
        return self.limits.tightest(now, self._open.reserved) if self.capped else None

    def least(self, now: float) -> tuple[int, int | None] | None:
        """What the tightest cap leaves, and the epoch second at which its window ends; None where there is no cap."""
        return self.limits.least(now, self._open.reserved) if self.capped else None

    def quote(self, now: float, worst: int) -> int:
        """The amount to reserve for a call that costs at most `worst`.

        Under `hard` that is `worst`. Under `estimate` it is what calls of this agent lately cost, but no more than
        `worst` and no more than the room: while there is room, one more call fits. Without history it is a share of
        it. Only a free call reserves nothing, so where all room is held by others a call that costs does not fit.
        """
        if self.budget.enforcement == "hard":
            return worst
        estimate = self.estimate
        if self.share is None and estimate.mean:  # mostly there is room for what is usual
            amount = min(worst, estimate.amount)
            if not self.capped or self.left(now) >= max(amount, 1):
                return amount
        return self.quoted(worst, self.room(now))

    def quoted(self, worst: int, room: int | None) -> int:
        """The same under `estimate`, if this were the room."""
        known = self.estimate.mean > 0
        amount = self.estimate.amount if known else worst
        if amount > worst:
            amount = worst
        if room is None:
            return amount
        return min(amount, max(1, room if known else room // UNKNOWN_SHARE))

    def risk(self, worst: int, certain: int, stoppable: bool) -> int:
        """What a call may cost before it could be stopped: a stream its input (`certain`), another call all of it."""
        if self.budget.enforcement == "hard":  # what is held says it all
            return 0
        return min(worst, certain) if stoppable else self.estimate.risk(worst, certain)
