"""One agent's money, in integer nano-dollars: what it spent, what its calls in flight may still cost, and its caps.

A call **reserves** an amount before it goes out, **accrues** cost while its answer streams, and is **settled** exactly
once at what it cost (or **released**, when it never went out). Reserved money counts against every cap as if spent.

Under ``enforcement: hard`` the amount is the worst case, and at any moment, for every cap, what is spent in its window
and what is reserved are together no more than the cap. A reservation that is outgrown grows only where there is room.
Under ``estimate`` the amount is what this agent's calls lately cost. Besides, each call has a **risk**: what it may cost
before anything could stop it. A call begins only while spend and all risks are together below every cap, and streams are
cut when spend, accrued money and all risks but the largest reach one: so a cap is passed by one call that no one could
stop, and by one chunk. Either way the truth is booked: `settle` never refuses.

A reservation belongs to no window: it counts against whichever is current. A call is charged to the hour and the day in
which it settles. Lowering a cap stops new calls and cuts those that have reached it; money spent stays spent.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from agentgateway.domain.caps import CapExceeded, Crossing, Estimate, Reservation
from agentgateway.domain.counters import Tally
from agentgateway.domain.inflight import InFlight
from agentgateway.domain.journal import Counted, Released, Reserved, Settled
from agentgateway.domain.purse import Purse


@attrs.define(eq=False)
class Account(Purse):
    """A purse and its changes; `journal` is told each of them, once it is made."""

    def reserve(self, now: float, amount: int, id: str, risk: int = 0, asked: bool = False) -> Reservation:
        """Hold `amount` for the call `id`; `asked`: there is room for it, as was asked at this very moment.

        Raises CapExceeded, or ValueError for an amount or id that cannot be.
        """
        if amount < 0 or id in self._open:
            raise ValueError(f"cannot reserve {amount} for {id!r}")
        cap = None if asked else self.fits(now, amount)
        if cap is not None:
            raise CapExceeded(cap)
        reservation = self.hold(id, amount, risk, now)
        if self.share is not None:
            self.share.used(now, 0)
        return reservation

    def hold(self, id: str, amount: int, risk: int = 0, at: float = 0.0) -> Reservation:
        """Reserve without asking the caps: for what a journal or snapshot says has been reserved."""
        reservation = self._open.add(Reservation(id, self.id, amount, 0, risk))
        if self.journal is not None:
            self.journal(Reserved(self.id, id, amount, at))
        return reservation

    def accrue(self, now: float, reservation: Reservation, cost_so_far: int) -> bool:
        """The call has cost this much by now (it never falls); True when its stream must be cut. Raises NotOpen."""
        self._open.require(reservation)
        accrued, amount = max(reservation.accrued, cost_so_far), reservation.amount
        if accrued > amount and self._may_hold(now, accrued - amount):
            amount = accrued
        self._open.accrue(reservation, amount, accrued)
        return accrued > amount or self.reached(now)

    def extend(self, now: float, reservation: Reservation, amount: int) -> bool:
        """Let a call in flight hold more; False, and nothing has changed, where that passes a cap under `hard`."""
        if not self._may_hold(now, amount - reservation.amount):
            return False
        self._open.change(reservation, amount, reservation.accrued, reservation.risk)
        return True

    def _may_hold(self, now: float, more: int) -> bool:
        """Whether the calls in flight may hold so much more; under `estimate` they always may."""
        room = self.room(now) if self.budget.enforcement == "hard" else None
        return room is None or (more <= room and (self.share is None or self.share.covers(now, self.reserved + more)))

    def reached(self, now: float) -> bool:
        """Whether running streams have to be cut; under `hard` only a lowered cap can be passed."""
        slack = 0 if self.budget.enforcement == "hard" else 1
        taken = self._open.accrued + self._open.at_risk + slack
        if not self.capped:
            return False
        over = taken - self.limits.left(now)
        if slack and self.share is not None:
            over = max(over, self.share.over(now, taken))
        return over > 0 and over > self._open.largest_risk()

    def stop_streams(self, now: float) -> None:
        """Cut the streams in flight where a cap is reached."""
        if self.capped and self.reached(now):
            self._open.stop()

    def settle(self, now: float, reservation: Reservation, cost: int) -> tuple[Crossing, ...]:
        """Book what a call cost of which nothing else is known; else as `close`."""
        return self.close(now, reservation, Tally(cost))

    def close(self, now: float, reservation: Reservation, call: Tally) -> tuple[Crossing, ...]:
        """Book a call, whatever it held; gives the warnings this brings. Raises NotOpen, ValueError."""
        cost = call.cost
        if cost < 0:
            raise ValueError(f"a call cannot cost {cost}")
        self._open.remove(reservation)
        self._book(now, call)
        self.cost_pace.add(now, cost)
        self.estimate.learn(cost)
        if self.journal is not None:
            counts = call.calls, call.errors, call.input_tokens, call.output_tokens
            self.journal(Settled(self.id, reservation.id, cost, self._booked_at(now), *counts))
        if self.share is not None:
            self.share.used(now, cost)
        return self.limits.spend(now, cost, self._open.reserved) if self.capped else ()

    def release(self, reservation: Reservation) -> None:
        """The call never went out: its money is free again. Raises NotOpen."""
        self._open.remove(reservation)
        if self.journal is not None:
            self.journal(Released(self.id, reservation.id))

    def count(self, now: float, *, error: bool, input_tokens: int, output_tokens: int) -> None:
        """One more answered call, for which nothing was reserved or nothing is to be paid."""
        self._book(now, Tally(0, 1, int(error), input_tokens, output_tokens))
        if self.journal is not None:
            self.journal(Counted(self.id, self._booked_at(now), error, input_tokens, output_tokens))

    def _book(self, now: float, call: Tally) -> None:
        self._hours.at(now).add(call)
        self._days.at(now).add(call)
        self.life.add(call)
        if call.calls:
            self.call_pace.add(now, call.calls)
            if self.share is not None:
                self.share.counted()

    def recover(self, now: float) -> tuple[Reservation, ...]:
        """After a crash nobody knows what the calls in flight cost: settle each at what it held. Gives those calls."""
        for reservation in (lost := self.open):
            self.settle(now, reservation, reservation.amount)
        return lost

    def snapshot(self) -> dict[str, Any]:
        """All that must survive, as integers in lists and dicts that JSON can hold; caps are configuration."""
        return {
            "life": self.life.numbers(),
            "hours": self._hours.rows(),
            "days": self._days.rows(),
            "estimate": [self.estimate.mean, self.estimate.deviation, self.estimate.peak],
            "open": {reservation.id: reservation.amount for reservation in self._open},
        }

    def restore(self, snapshot: Mapping[str, Any], now: float) -> None:
        """Be what `snapshot` says, in place of everything but caps; tells the journal nothing."""
        self.life = Tally(*snapshot["life"])
        self._hours = self._hours.restore(self._hours.windows, snapshot["hours"], now)
        self._days = self._days.restore(self._days.windows, snapshot["days"], now)
        self.estimate = Estimate(*snapshot["estimate"])
        self._open = InFlight.of(Reservation(id, self.id, amount) for id, amount in snapshot["open"].items())
        self.set_caps(self.budget)

    def _booked_at(self, now: float) -> float:
        """An instant of the windows just booked to, also where a clock stepped back has not left them yet."""
        hour, day = self._hours.start, self._days.start
        return now if hour <= now >= day else max(hour, day)
