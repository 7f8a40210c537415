"""The reservations of one agent's calls in flight, and the sums of them that every decision asks for."""

from collections.abc import Iterable, Iterator
from typing import Self

import attrs

from agentgateway.domain.caps import NotOpen, Reservation


@attrs.define(eq=False)
class InFlight:
    """Reservations by the call's id, oldest first; the sums, in nano-dollars, are kept rather than added up."""

    reserved: int = 0
    accrued: int = 0
    """What the calls have cost so far."""
    at_risk: int = 0
    """What they may still come to cost before anything could stop them."""
    exposed: int = 0
    """Of each call the larger of what it holds and what it risks."""
    _open: dict[str, Reservation] = attrs.Factory(dict)
    _stopping: bool = False

    @classmethod
    def of(cls, reservations: Iterable[Reservation]) -> Self:
        """These, and no others."""
        calls = cls()
        for reservation in reservations:
            calls.add(reservation)
        return calls

    def __iter__(self) -> Iterator[Reservation]:
        return iter(self._open.values())

    def __contains__(self, id: str) -> bool:
        return id in self._open

    def get(self, id: str) -> Reservation | None:
        """The reservation of a call, while it is in flight."""
        return self._open.get(id)

    def add(self, reservation: Reservation) -> Reservation:
        """One more call, under an id that is not in use."""
        self._open[reservation.id] = reservation
        self._sum(reservation, 1)
        return reservation

    def change(self, reservation: Reservation, amount: int, accrued: int, risk: int) -> None:
        """Other numbers for a call in flight."""
        self._sum(reservation, -1)
        reservation.amount, reservation.accrued, reservation.risk = amount, accrued, risk
        self._sum(reservation, 1)

    def accrue(self, reservation: Reservation, amount: int, accrued: int) -> None:
        """A call in flight holds `amount` and has cost `accrued`; nothing is at risk any more, its answer has begun."""
        if reservation.risk:
            return self.change(reservation, amount, accrued, 0)
        more = amount - reservation.amount
        self.reserved += more
        self.exposed += more
        self.accrued += accrued - reservation.accrued
        reservation.amount, reservation.accrued = amount, accrued

    def remove(self, reservation: Reservation) -> None:
        """The call is over. Raises NotOpen, and nothing has changed."""
        self.require(reservation)
        del self._open[reservation.id]
        reservation.stop = None
        self._sum(reservation, -1)

    def require(self, reservation: Reservation) -> None:
        """Raises NotOpen for a reservation that is not among these."""
        if self._open.get(reservation.id) is not reservation:
            raise NotOpen(reservation.id)

    def largest_risk(self) -> int:
        """The most that a single one of the calls may still come to cost."""
        return max((reservation.risk for reservation in self), default=0)

    def stop(self) -> None:
        """Stop every call that can be; asked again from within the stopping of one, this does nothing."""
        if self._stopping:
            return
        self._stopping = True
        try:
            for reservation in list(self):
                if reservation.stop is not None:
                    reservation.stop()
        finally:
            self._stopping = False

    def _sum(self, reservation: Reservation, sign: int) -> None:
        amount, risk = reservation.amount, reservation.risk
        self.reserved += sign * amount
        self.accrued += sign * reservation.accrued
        self.at_risk += sign * risk
        self.exposed += sign * (amount if amount > risk else risk)
