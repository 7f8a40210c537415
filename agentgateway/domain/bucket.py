"""A token bucket in exact integers: continuous refill, a burst of one full count, no timers.

The level is kept in parts of a token: a token is `seconds * 10**9` parts, so that every nanosecond refills `count`
parts and nothing is ever rounded. Over any time T a bucket of `count` per `seconds` lets pass at most
``count + T * count / seconds`` tokens (a debt made by `charge` aside: it is paid off before anything else passes).

Times are seconds of a monotonic clock. Should it step back, nothing is added or taken, and refill goes on from there.
"""

from typing import Final, Self

import attrs

from agentgateway.config.schema import Rate

_NS: Final = 10**9


@attrs.define
class TokenBucket:
    """Tokens of one `rate`; made full. Asking (`available`, `wait`) never takes."""

    rate: Rate
    _seen: int
    """The time of `_level`, in nanoseconds."""
    _level: int
    """Parts of a token; below zero is a debt."""
    _asked: float = attrs.field(init=False, default=-1.0, eq=False)
    """The time of the latest question: a call asks several times, all at one time."""
    _token: int = attrs.field(init=False)
    """Parts of one token, and below of the whole burst."""
    _burst: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._measure(self.rate)

    @classmethod
    def full(cls, rate: Rate, now: float) -> Self:
        """A bucket that holds its whole burst. Raises ValueError for a rate that is not positive."""
        if rate.count < 1 or rate.seconds < 1:
            raise ValueError(f"a rate needs a positive count and time, got {rate}")
        return cls(rate, round(now * _NS), rate.count * rate.seconds * _NS)

    def available(self, now: float) -> int:
        """Whole tokens that can be taken now; 0 in debt."""
        self._refill(now)
        return max(0, self._level // self._token)

    def debt(self, now: float) -> int:
        """Tokens owed, in whole tokens rounded up; 0 where nothing is owed."""
        self._refill(now)
        return max(0, -(self._level // self._token))

    def wait(self, now: float, n: int = 1) -> float:
        """Seconds until `n` can be taken, 0 for now; for more than the burst, until the bucket is full."""
        self._refill(now)
        count = self.rate.count
        missing = (n if n < count else count) * self._token - self._level
        return -(-missing // count) / _NS if missing > 0 else 0.0

    def borrow(self, now: float, n: int = 1) -> bool:
        """Whether to ask others for tokens rather than wait: never, it has all there are."""
        return False

    def full_in(self, now: float) -> float:
        """Seconds until the bucket is full."""
        return self.wait(now, self.rate.count)

    def take(self, now: float, n: int = 1) -> bool:
        """Take `n`; False, and nothing taken, where `wait` is not 0. Taking more than the burst leaves a debt."""
        if self.wait(now, n) > 0:
            return False
        self.charge(now, n)
        return True

    def charge(self, now: float, n: int) -> None:
        """Take `n` that have been used already, whatever is there: below zero it is a debt, paid off by the refill."""
        self._refill(now)
        self._level -= n * self._token

    def give_back(self, now: float, n: int = 1) -> None:
        """Put `n` taken but not used back; never above the burst."""
        self._refill(now)
        self._level = min(self._level + n * self._token, self._burst)

    def reconfigure(self, rate: Rate, now: float) -> None:
        """Go by another rate from now on; the bucket stays as full as it was, in proportion."""
        fresh = TokenBucket.full(rate, now)
        self._refill(now)
        self._level = self._level * fresh._burst // self._burst
        self._measure(rate)

    def _measure(self, rate: Rate) -> None:
        self.rate = rate
        self._token = rate.seconds * _NS
        self._burst = rate.count * self._token

    def _refill(self, now: float) -> None:
        if now == self._asked:
            return
        self._asked = now
        at = round(now * _NS)
        if at > self._seen:
            self._level = min(self._level + (at - self._seen) * self.rate.count, self._burst)
        self._seen = at
