"""How often somebody may show a wrong secret: a few times at once, then now and then; each guesser by itself."""

from collections import OrderedDict
from typing import Final

from agentgateway.config.schema import Rate
from agentgateway.domain.bucket import TokenBucket

RATE: Final = Rate(10, 60)
"""Wrong secrets that one guesser may show."""
MOST: Final = 1_000
"""Guessers that are remembered: the latest."""

Guesser = tuple[str, bool]
"""An address or a network, and whether the request came through a proxy there."""


class Guesses:
    """Of all guessers. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[Guesser, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, guesser: Guesser, now: float) -> float:
        """Seconds for which nothing this guesser shows is looked at, not even the right secret; 0 for none."""
        bucket = self._buckets.get(guesser)
        return 0.0 if bucket is None else bucket.wait(now)

    def wrong(self, guesser: Guesser, now: float) -> None:
        """This guesser has shown a wrong one."""
        bucket = self._buckets.get(guesser)
        if bucket is None:
            bucket = self._buckets[guesser] = TokenBucket.full(RATE, now)
            if len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(guesser)
        bucket.charge(now, 1)
