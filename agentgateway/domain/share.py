"""One account's share of money that belongs to a fleet of processes: its ceiling, and what the others have spent.

The **ceiling** is an absolute limit on what this account may ever have spent (see `lease`): under `hard`, what it spent
in its life and what its calls hold are together never more. The fleet grants ceilings such that no cap is passed when
everybody reaches theirs.

How much to ask for: what is held at most, and what a few seconds cost; more is asked when less than half of what the
last second cost is left; what was not used for a second is given back, what was denied not asked again for a moment.
"""

from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from agentgateway.domain.caps import Crossing
from agentgateway.domain.counters import Tallies, Tally
from agentgateway.domain.lease import NONE_GONE, Ask, BucketAsk, Grant, Sums
from agentgateway.domain.limits import Limits
from agentgateway.domain.link import Link, Use
from agentgateway.domain.others import Joint, Others

if TYPE_CHECKING:
    from agentgateway.domain.account import Account

AHEAD: Final = 4
"""Seconds of spending to borrow for."""
DENIED: Final = 0.05
"""Seconds for which a call is refused without asking, after less was granted than was needed."""
SHORT: Final = 0.5
"""Seconds between two attempts to borrow ahead, where there was less than wished."""


@attrs.define(eq=False)
class Share:
    """What `account` has borrowed, and what it knows of the others."""

    account: "Account"
    link: Link
    ceiling: int = 0
    leased: int = 0
    """What the others may still spend."""
    hour: Others = attrs.field(factory=Others, on_setattr=attrs.setters.frozen)
    day: Others = attrs.field(factory=Others, on_setattr=attrs.setters.frozen)
    life: Others = attrs.field(factory=Others, on_setattr=attrs.setters.frozen)
    seen: float = 0.0
    """When the others' sums were learned; 0 for never, or only in part."""
    news: tuple[int, int] = (0, 0)
    """Cost and calls of theirs that are new since the answer before."""
    _use: Use = attrs.Factory(Use)
    _waiting: int = 0
    """What calls that wait want to hold."""
    _needed: int = 0
    _wished: int = 0
    _quiet_until: float = 0.0
    _short_until: float = 0.0
    _gone: msgspec.Raw = NONE_GONE
    _given_up: bool = False
    """Since the last question: its answer goes by caps that are no more."""

    # what calls ask

    @property
    def spends(self) -> bool:
        """Whether calls go on beyond what is borrowed, because nobody can be asked."""
        return self.link.away and self.link.spends(self.account.budget.enforcement == "hard")

    def limit(self, now: float) -> int | None:
        """What the account may spend in its life, all that is held included; None: anything that its caps allow.

        What is borrowed is good while the others know that this process lives. Later they take it for spent, in the
        window they are in then: so it is good for no other one.
        """
        link = self.link
        if link.up and not link.grace and self.seen >= link.since and link.fresh(now):  # nearly always
            return self.ceiling
        if self.spends:
            return None
        return self.ceiling if self._good(now) else self.account.life.cost

    def covers(self, now: float, held: int) -> bool:
        """Whether so much may be held by all calls together."""
        limit = self.limit(now)
        return limit is None or self.account.life.cost + held <= limit

    def may_ask(self, now: float) -> bool:
        """Whether asking may bring more."""
        return now >= self._quiet_until and self.link.lends

    def room(self, now: float, left: int) -> int:
        """What may be reserved of the `left` that all caps leave."""
        limit = self.limit(now)
        return left if limit is None else max(0, min(left, limit - self.account.life.cost - self.account.reserved))

    def borrow(self, now: float, worst: int, again: bool) -> bool:
        """Whether a call that costs at most `worst` has to wait for an answer; then what it needs is asked for.

        `again`: it has waited before. By what came then all that is left can be asked for exactly.
        """
        account = self.account
        if not self.link.lends or not (again or now >= self._quiet_until):
            return False
        left = self._left(now)
        if left <= 0:
            if now - self.seen < DENIED:
                return False
            left = worst
        hard = account.budget.enforcement == "hard"
        wanted = min(worst, left) if hard else account.quoted(worst, left)
        if self.covers(now, account.held_with(wanted)):
            return False
        self._waiting += wanted
        self._use.add(now, 0, account.held_with(0) + self._waiting)
        self.link.urge(account.id)
        return True

    def over(self, now: float, taken: int) -> int:
        """By how much calls that have cost `taken` are over what may be spent, once no more can be had."""
        if taken <= 1 or self.covers(now, taken):  # that one is nobody's
            return 0
        if not self.may_ask(now):
            return self.account.life.cost + taken - (self.limit(now) or 0)
        self._waiting += 1
        self.link.urge(self.account.id)
        return 0

    def used(self, now: float, cost: int) -> None:
        """Something was spent, or is held now; asks for more where that will soon be needed."""
        account, link = self.account, self.link
        link.changed.add(account.id)
        if not account.capped:
            return
        pace, peak = self._use.add(now, cost, account.held_with(0))
        if self.ceiling - account.life.cost - peak < pace // 2 and now >= self._short_until and not link.away:
            self._short_until = now + DENIED
            link.urge(account.id)

    def counted(self) -> None:
        """A call was counted, which the others have to know."""
        self.link.changed.add(self.account.id)

    def give_up(self) -> None:
        """The caps are others: whatever no call holds has to be borrowed anew, under these."""
        self.ceiling = min(self.ceiling, self.account.life.cost + self.account.held_with(0))
        self._given_up = True
        self.link.urge(self.account.id)

    def joint(self, hours: Tallies, days: Tallies) -> tuple[Joint, Joint]:
        """The account's tallies with those of the others."""
        return Joint(hours, self.hour), Joint(days, self.day)

    # what is told and asked, and what comes of it

    def idle(self, now: float) -> bool:
        """Whether it holds what nobody has used for a second."""
        return self.account.capped and self.ceiling > self._wish(now)

    def ask(self, now: float, slots: tuple[int, int, int | None], buckets: tuple[BucketAsk, ...]) -> Ask:
        """What to tell and ask; what is given back is held no longer from now on. `slots`: held, wished, the most."""
        account = self.account
        hours, days = account.own_windows()
        self._needed = self._wished = 0
        self._given_up = False
        if account.capped:
            needed, left = account.held_with(0) + self._waiting, self._left(now)
            if left > 0:  # who needs more than there is gets a part of it; who needs all there is gets all
                needed = min(needed, account.reserved + left)
            self._needed = account.life.cost + needed
            self._wished = max(self._wish(now), self._needed + self._waiting)
        self._waiting = 0
        self.ceiling = min(self.ceiling, self._wished)
        if not self._good(now):  # others may have it by now; what calls hold they were never given
            self.ceiling = min(self.ceiling, account.life.cost + account.held_with(0))
        budget = account.budget
        return Ask(
            account.id,
            (budget.max_cost_per_hour, budget.max_cost_per_day, budget.max_cost_total),
            (hours.window(now).start, hours.window(now).end),
            (days.window(now).start, days.window(now).end),
            _sums(hours.at(now)),
            _sums(days.at(now)),
            _sums(account.life),
            self.ceiling,
            self._needed,
            self._wished,
            *slots,
            buckets,
            self._gone,
        )

    def take(self, now: float, ask: Ask, grant: Grant) -> tuple[Crossing, ...]:
        """What was granted; gives the warnings that the others' spending brings."""
        if grant.turned:
            return ()
        self.ceiling, self.leased, self._gone = grant.ceiling, grant.leased, grant.gone
        if self._given_up:
            self.give_up()
        if grant.ceiling < self._needed:
            self._quiet_until = now + DENIED
        if grant.ceiling < self._wished:
            self._short_until = now + SHORT
        ours, partly = self.account, self.link.grace
        before = [limit.tally(now).cost for limit in ours.limits]
        self.hour.learn(ask.hour[0], grant.hour, partly=partly)
        self.day.learn(ask.day[0], grant.day, partly=partly)
        news = self.life.learn(0, grant.life, ask.in_life, partly)
        self.news = (0, 0) if partly or not self.seen else news
        ours.limits.forget()
        self.seen = 0.0 if partly and not self.seen else now
        return tuple(_crossings(ours.limits, before, now, ours.reserved))

    @property
    def remembers(self) -> bool:
        """Whether it knows of processes that are gone: the others may not."""
        return self._gone != NONE_GONE

    def retire(self) -> None:
        """Wish for nothing more."""
        self._use = Use()

    def _left(self, now: float) -> int:
        """What the caps leave that nobody has borrowed, by what is known."""
        return self.account.left(now) - self.leased

    def _wish(self, now: float) -> int:
        pace, peak = self._use.look(now)
        return self.account.life.cost + max(peak, self.account.held_with(0)) + AHEAD * pace

    def _good(self, now: float) -> bool:
        """Whether what is borrowed is still borrowed: known without a gap, or no window with a cap has begun since."""
        link = self.link
        if self.seen < link.since:
            known = self.seen
        elif link.fresh(now):
            return True
        else:
            known = link.confirmed
        windows = (limit.window(now) for limit in self.account.limits if limit.window is not None)
        return not any(window.start > known for window in windows)


def _sums(tally: Tally) -> Sums:
    return (tally.cost, tally.calls, tally.errors, tally.input_tokens, tally.output_tokens)


def _crossings(limits: Limits, before: list[int], now: float, reserved: int) -> list[Crossing]:
    found: list[Crossing] = []
    for limit, spent in zip(limits, before, strict=True):
        found += limit.crossings(now, limit.tally(now).cost - spent, reserved)
    return found
