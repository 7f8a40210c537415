"""How this process stands with the fleet it is a part of: one value that all its shares look at.

What is told and asked goes in batches. Who changed puts its agent among `changed`, for the next beat; who cannot go on
without an answer, or soon will not, calls `urge`.
"""

from collections.abc import Callable
from math import inf
from typing import Final, Literal

import attrs

from agentgateway.domain.breaker import CircuitEvent
from agentgateway.domain.lease import TTL
from agentgateway.domain.standing import Standing

MARGIN: Final = 0.5
"""Seconds before the others take a silent process for gone: from then on it goes by what is safe without them."""

OnOutage = Literal["refuse", "spend"]


@attrs.define(eq=False)
class Link:
    """The connection to what the fleet shares, as seen from calls. Times are epoch seconds of the fleet's clock."""

    on_outage: OnOutage | None = None
    wake: Callable[[], None] = lambda: None
    """Told that something is urgent."""
    stand: Callable[[Standing], None] = lambda standing: None
    """Told that somebody paused an agent or resumed it, for all processes."""
    cap: Callable[[Standing], None] = lambda standing: None
    """Told of an operator's caps, for all processes."""
    circuit: Callable[[str, str, CircuitEvent], None] = lambda agent, provider, event: None
    """Told what happened to an agent's circuit towards a provider."""
    up: bool = True
    """Whether the latest question was answered; before the first one calls wait for it."""
    grace: bool = False
    """The shared state was lost a moment ago: nothing is granted until everybody has told again."""
    begins: bool = False
    """There is grace only because nobody knows of anything before: it is over in a moment, and calls wait for that."""
    epoch: str = ""
    """Of the latest answer: another one each time that the shared state was lost."""
    confirmed: float = -inf
    """When the latest question that was answered had been sent."""
    since: float = -inf
    """Since when the others have known without a gap that this process lives."""
    members: int = 1
    """Processes in the fleet, this one included."""
    changed: set[str] = attrs.Factory(set)
    urgent: set[str] = attrs.Factory(set)

    @property
    def away(self) -> bool:
        """Whether nothing more is to be had for the moment."""
        return self.grace or not self.up

    @property
    def lends(self) -> bool:
        """Whether money is to be had, if not now then in a moment."""
        return self.up and (self.begins or not self.grace)

    def reached(self, sent: float) -> None:
        """A question sent then was answered."""
        if not self.fresh(sent):
            self.since = sent
        self.confirmed = sent

    def fresh(self, now: float) -> bool:
        """Whether the others know for sure that this process lives, and count what it has borrowed as borrowed."""
        return now - self.confirmed < TTL - MARGIN

    def spends(self, hard: bool) -> bool:
        """Whether an agent goes on beyond what is borrowed while nobody can be asked."""
        return self.on_outage == "spend" or (self.on_outage is None and not hard)

    def urge(self, agent: str) -> None:
        """Ask for `agent` as soon as may be."""
        self.urgent.add(agent)
        self.wake()


@attrs.define(eq=False)
class Use:
    """How much was used in this second and in the one before, and the most that was held at once."""

    _second: int = 0
    _used: int = 0
    _used_before: int = 0
    _peak: int = 0
    _peak_before: int = 0

    def add(self, now: float, used: int, held: int = 0) -> tuple[int, int]:
        """So much more; `held` is what is held now. Gives what `look` does."""
        if int(now) != self._second:
            self._turn(int(now))
        self._used += used
        if held > self._peak:
            self._peak = held
        return max(self._used, self._used_before), max(self._peak, self._peak_before)

    def look(self, now: float) -> tuple[int, int]:
        """(used in a second, the most held at once); both 0 for what was idle for a second."""
        if int(now) != self._second:
            self._turn(int(now))
        return max(self._used, self._used_before), max(self._peak, self._peak_before)

    def _turn(self, second: int) -> None:
        next_one = second == self._second + 1
        self._used_before, self._peak_before = (self._used, self._peak) if next_one else (0, 0)
        self._used = self._peak = 0
        self._second = second
