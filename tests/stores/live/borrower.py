"""A process that borrows, as little of it as there is to say: for tests of what all of them together may do."""

import attrs
from msgspec import Raw

from agentgateway.domain.lease import NONE_GONE, TTL, Ask, Sums
from tests.stores.live.memory import MemoryLive

HOUR, DAY = 3600, 86400
CAPS = (100, 250, 600)


@attrs.define
class Process:
    """A process as `Share` makes it: it never spends nor holds more than its ceiling, and that only while it may."""

    live: MemoryLive
    runs: int = 0
    spent: list[tuple[float, int]] = attrs.Factory(list)
    """When, how much."""
    held: list[int] = attrs.Factory(list)
    """What its calls in flight may cost at most."""
    ceiling: int = 0
    confirmed: float = 0.0
    gone: Raw = NONE_GONE
    dead: bool = False

    @property
    def cost(self) -> int:
        """Of its life."""
        return sum(amount for _, amount in self.spent)

    def within(self, start: float, length: float) -> int:
        """What it spent in a window."""
        return sum(amount for at, amount in self.spent if start <= at < start + length)

    def may(self, now: float, amount: int) -> bool:
        """Whether a call of at most `amount` may begin."""
        return self.cost + sum(self.held) + amount <= self.ceiling and self.good(now)

    def good(self, now: float) -> bool:
        """Whether what it has borrowed is still borrowed, and was not given to others in another hour."""
        return now - self.confirmed < TTL or now // HOUR * HOUR <= self.confirmed

    def ask(self, now: float, need: int, want: int) -> Ask:
        """What it tells; what it does not want to hold any more it holds no more."""
        using = self.cost + sum(self.held)
        self.ceiling = max(using, min(self.ceiling, using + want)) if self.good(now) else using
        hour, day = int(now // HOUR * HOUR), int(now // DAY * DAY)
        return Ask(
            "writer",
            CAPS,
            (hour, hour + HOUR),
            (day, day + DAY),
            sums(self.within(hour, HOUR)),
            sums(self.within(day, DAY)),
            sums(self.cost),
            self.ceiling,
            using + need,
            using + want,
            gone=self.gone,
        )


def sums(cost: int) -> Sums:
    """Only the cost matters here."""
    return (cost, 0, 0, 0, 0)
