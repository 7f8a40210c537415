"""One process's part of a rate that belongs to a whole fleet.

Tokens come in advance, from a bucket that all share: as many as half a second uses, and where there are plenty as two
seconds do. A call for which none is left waits for an answer; what comes back says how long it takes until there is
another. While nobody can be asked each process goes by its part of the rate: the count, divided by how many they are.
"""

from collections.abc import Callable
from typing import Final, Protocol

import attrs

from agentgateway.config.schema import Rate
from agentgateway.domain.bucket import TokenBucket
from agentgateway.domain.lease import BucketAsk, BucketGrant
from agentgateway.domain.link import Link, Use

DENIED: Final = 0.05
"""Seconds for which nothing is asked after less was granted than was needed."""
LONGEST_QUIET: Final = 1.0
"""The same, where the next token takes longer: another process may give some back."""
SOONEST: Final = 0.001
FEW: Final = 8
"""One part in so many of a fair share of the burst: what a process may hold without harm to the others."""


class Bucket(Protocol):
    """What calls ask of a rate: a process's own bucket, or its part of a fleet's. Times are of a monotonic clock."""

    rate: Rate

    def available(self, now: float) -> int:
        """Whole tokens that can be taken now."""

    def full_in(self, now: float) -> float:
        """Seconds until all of the rate is there again."""

    def wait(self, now: float, n: int = 1) -> float:
        """Seconds until `n` can be taken, 0 for now."""

    def charge(self, now: float, n: int) -> None:
        """Take `n`, whatever is there."""

    def give_back(self, now: float, n: int = 1) -> None:
        """Put `n` taken but not used back."""

    def reconfigure(self, rate: Rate, now: float) -> None:
        """Go by another rate from now on."""

    def borrow(self, now: float, n: int = 1) -> bool:
        """Whether to wait for an answer rather than for time."""


Make = Callable[[str, Rate, float], Bucket]
"""A new bucket by its name within the agent, its rate and the time."""


def own_bucket(name: str, rate: Rate, now: float) -> Bucket:
    """A bucket that belongs to this process alone; full."""
    return TokenBucket.full(rate, now)


@attrs.define(eq=False)
class LentBucket:
    """A process's part of one rate of `agent`. `taken` and `upto` count the tokens of its whole life."""

    agent: str
    name: str
    rate: Rate
    link: Link
    taken: int = 0
    upto: int = 0
    """How many it may have taken."""
    _use: Use = attrs.Factory(Use)
    _waiting: int = 0
    _needed: int = 0
    _next_at: float = 0.0
    """When the next token will be there."""
    _left: int = 0
    """What nobody held, at `_seen`."""
    _seen: float = 0.0
    _quiet_until: float = 0.0
    _alone: TokenBucket | None = None
    """What it goes by while nobody can be asked."""

    def available(self, now: float) -> int:
        """Tokens it holds, and those that nobody holds, by what is known: for people, not for decisions."""
        if self.link.away:
            return self._part(now).available(now)
        refilled = int((now - self._seen) * self.rate.count / self.rate.seconds)
        return min(self.rate.count, max(0, self.upto - self.taken) + self._left + refilled)

    def full_in(self, now: float) -> float:
        """Seconds until all of the rate is there again, by what is known."""
        if self.link.away:
            return self._part(now).full_in(now)
        return (self.rate.count - self.available(now)) * self.rate.seconds / self.rate.count

    def debt(self, now: float) -> int:
        """Tokens that were used and not lent yet."""
        return self._part(now).debt(now) if self.link.away else max(0, self.taken - self.upto)

    def wait(self, now: float, n: int = 1) -> float:
        """Seconds until `n` can be taken, 0 for now."""
        if self.link.away:
            return self._part(now).wait(now, n)
        if self.upto - self.taken >= min(n, self.rate.count):
            return 0.0
        return max(self._next_at - now, SOONEST)

    def borrow(self, now: float, n: int = 1) -> bool:
        """Whether `n` tokens may come by asking; then a call waits for them from now on."""
        if self.link.away or now < self._quiet_until:
            return False
        self._waiting += min(n, self.rate.count)
        self._use.add(now, 0, self._waiting)  # kept until the call comes back: it may have to wait for more than this
        self.link.urge(self.agent)
        return True

    def charge(self, now: float, n: int) -> None:
        """Take `n`, whatever is there; asks for more where that will soon be needed."""
        self.taken += n
        used, _ = self._use.add(now, n)
        if self.link.away:
            self._part(now).charge(now, n)
            return
        self.link.changed.add(self.agent)
        if self.upto - self.taken < used // 4 and now >= self._quiet_until:
            self.link.urge(self.agent)

    def give_back(self, now: float, n: int = 1) -> None:
        """Put `n` taken but not used back."""
        self.taken -= n
        if self._alone is not None:
            self._alone.give_back(now, n)
        self.link.changed.add(self.agent)

    def reconfigure(self, rate: Rate, now: float) -> None:
        """Go by another rate from now on."""
        self.rate, self._alone = rate, None

    def idle(self, now: float) -> bool:
        """Whether it holds what nobody has used for a second."""
        return self.upto > self._wish(now)

    def ask(self, now: float) -> BucketAsk:
        """What to tell and ask; what is given back is held no longer from now on."""
        self._needed = self.taken + self._waiting
        wished = max(self._wish(now), self._needed)
        self._waiting = 0
        self.upto = max(min(self.upto, wished), self.taken)
        return BucketAsk(self.name, self.rate.count, self.rate.seconds, self.upto, wished)

    def take(self, now: float, grant: BucketGrant) -> None:
        """What was granted."""
        self._alone = None
        self.upto = max(grant.upto, self.taken)
        self._next_at = now + grant.wait
        self._left, self._seen = grant.left, now
        if grant.upto < self._needed:
            self._quiet_until = now + max(DENIED, min(grant.wait, LONGEST_QUIET))

    def retire(self) -> None:
        """Wish for nothing more."""
        self._use = Use()

    def _wish(self, now: float) -> int:
        used, waited_for = self._use.look(now)
        plenty = min(2 * used, self.rate.count // (FEW * self.link.members))
        return self.taken + max(used // 2, waited_for, plenty)

    def _part(self, now: float) -> TokenBucket:
        if self._alone is None:
            count = max(1, self.rate.count // self.link.members)
            seconds = max(1, self.rate.seconds * self.link.members * count // self.rate.count)
            self._alone = TokenBucket.full(Rate(count, seconds), now)
        return self._alone
