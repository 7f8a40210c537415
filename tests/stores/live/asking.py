"""Short ways to ask, for tests of the live state, and a server without a socket whose clock they set."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import Ask, Bounds, Caps, Grant, Sums, Synced
from tests.stores.live.memory import MemoryLive, MemoryServer

HOUR, DAY = 3600, 86400
START = 1_800_000_000 // DAY * DAY + 10 * HOUR
CAPS: Caps = (1000, None, 5000)


def hour_of(now: float) -> Bounds:
    """The hour of an instant, in UTC."""
    start = int(now // HOUR * HOUR)
    return start, start + HOUR


def day_of(now: float) -> Bounds:
    """The day of an instant, in UTC."""
    start = int(now // DAY * DAY)
    return start, start + DAY


def sums(cost: int) -> Sums:
    """So much spent, in as many calls."""
    return (cost, cost, 0, 0, 0)


def asking(now: float, agent: str = "writer", caps: Caps = CAPS, **told: Any) -> Ask:
    """An ask at `now`; `spent` in this hour and day and life, unless `in_hour` or `in_day` (costs) say otherwise."""
    spent = told.pop("spent", 0)
    in_hour, in_day = sums(told.pop("in_hour", spent)), sums(told.pop("in_day", spent))
    numbers = {"held": spent, "need": 0, "want": 0} | told
    return Ask(agent, caps, hour_of(now), day_of(now), in_hour, in_day, sums(spent), **numbers)


class Steps(SynchronousTestCase):
    """A server without a socket, a clock to set, and a few processes."""

    def setUp(self) -> None:
        """All is empty at ten o'clock."""
        self.now = float(START)
        self.server = MemoryServer(lambda: self.now)
        self.one, self.two, self.three = (MemoryLive(self.server, name) for name in ("one", "two", "three"))

    def synced(self, live: MemoryLive, *asks: Any) -> Synced:
        """One answered sync."""
        return self.successResultOf(live.sync(asks))

    def granted(self, live: MemoryLive, **told: Any) -> Grant:
        """The only grant of one ask."""
        return self.synced(live, asking(self.now, **told)).grants[0]
