"""One process's part of a number of calls at once that belongs to a whole fleet."""

from typing import Final

import attrs

from agentgateway.domain.lent import DENIED
from agentgateway.domain.link import Link, Use

SCARCE: Final = 8
"""Calls at once for each process, below which none keeps a place that it does not use."""


@attrs.define(eq=False)
class Places:
    """How many calls at once a process may have of the `most` that a fleet may. Times are of a monotonic clock."""

    agent: str
    most: int
    link: Link
    held: int = 0
    _use: Use = attrs.Factory(Use)
    _waiting: int = 0
    _needed: int = 0
    _quiet_until: float = 0.0

    @classmethod
    def of(cls, before: "Places | None", agent: str, most: int | None, link: Link | None) -> "Places | None":
        """The places under a (new) limit; what is held already stays."""
        if most is None or link is None:
            return None
        if before is None:
            return cls(agent, most, link)
        before.most = most
        return before

    def full(self, in_flight: int) -> bool:
        """Whether one more has no place."""
        return in_flight >= (max(self.held, self.most // self.link.members, 1) if self.link.away else self.held)

    def borrow(self, now: float) -> bool:
        """Whether a place may come by asking; then a call waits for it from now on."""
        if self.link.away or now < self._quiet_until:
            return False
        self._waiting += 1
        self._use.add(now, 0, self.held + self._waiting)
        self.link.urge(self.agent)
        return True

    def entered(self, now: float, in_flight: int) -> None:
        """So many calls are under way, with the latest."""
        self._use.add(now, 0, in_flight)

    def leaves(self) -> None:
        """A call is over; where places are few the others get this one soon."""
        if self._scarce:
            self.link.urge(self.agent)

    @property
    def _scarce(self) -> bool:
        return self.most < SCARCE * self.link.members

    def idle(self, now: float, in_flight: int) -> bool:
        """Whether it holds what nobody has used for a second."""
        return self.held > self._wish(now, in_flight)

    def ask(self, now: float, in_flight: int) -> tuple[int, int, int]:
        """(held, wished, the fleet's limit); what is given back is held no longer from now on."""
        self._needed = in_flight + self._waiting
        wished = min(max(self._wish(now, in_flight), self._needed), self.most)
        self._waiting = 0
        self.held = min(self.held, max(wished, in_flight))
        return self.held, wished, self.most

    def take(self, now: float, slots: int) -> None:
        """So many were granted."""
        self.held = slots
        if slots < self._needed:
            self._quiet_until = now + DENIED

    def retire(self) -> None:
        """Wish for nothing more."""
        self._use = Use()

    def _wish(self, now: float, in_flight: int) -> int:
        return in_flight if self._scarce else max(self._use.look(now)[1], in_flight)
