"""One agent as it is now: its money, its limits, its circuits, and how it stands."""

from functools import partial
from typing import Final

import attrs

from agentgateway.config.schema import Agent, Budget, Rate
from agentgateway.domain.account import Account
from agentgateway.domain.breaker import Breaker
from agentgateway.domain.caps import Crossing
from agentgateway.domain.facts import Facts
from agentgateway.domain.lease import Ask, Grant
from agentgateway.domain.lent import Bucket, LentBucket, Make, own_bucket
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.places import Places
from agentgateway.domain.policy import NOTHING, AgentRules, Rules, Verdict
from agentgateway.domain.standing import Caps, Pause, Standing

OUT_OF_DATE: Final = 2.5
"""Seconds after which policies do not go by what is known of other processes. Who calls is asked about each second."""


@attrs.define(slots=True, eq=False)
class AgentState:
    """What is known of one agent while the gateway runs."""

    config: Agent
    account: Account
    rules: AgentRules
    link: Link | None = None
    """To the fleet that this process is a part of; None: it is all there is."""
    bucket: Bucket | None = None
    """Of `rate_limit`."""
    tokens: Bucket | None = None
    """Of `token_limit`."""
    places: Places | None = None
    """Of `max_concurrency`, where it holds for several processes."""
    breakers: dict[str, Breaker] = attrs.Factory(dict)
    """By provider."""
    broken: set[str] = attrs.Factory(set)
    """Providers whose circuit has opened and not closed since."""
    pause: Pause | None = None
    caps: Caps | None = None
    paused_at: int = 0
    capped_at: int = 0
    """As in `Standing`."""
    in_flight: int = 0
    last_call: float | None = None
    last_model: str | None = None
    last_provider: str | None = None
    _warned: dict[str, tuple[int, int | None, float]] = attrs.Factory(dict)
    """The latest warning of each cap: its limit, its window's end, and the fraction."""

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.config.id

    @property
    def standing(self) -> Standing:
        """What must survive a restart, apart from the money."""
        return Standing(self.id, self.pause, self.caps, self.paused_at, self.capped_at)

    def breaker(self, provider: str) -> Breaker:
        """This agent's circuit towards `provider`."""
        breaker = self.breakers.get(provider)
        if breaker is None:
            breaker = self.breakers[provider] = Breaker.closed(self.config.circuit_breaker)
            if self.link is not None:
                breaker.tell = partial(self.link.circuit, self.id, provider)
        return breaker

    def judge(self, now: Moment, asked: str | None = None) -> Verdict:
        """What the policies say of this agent now; `asked`: the model of the call that is about to begin."""
        return self.rules.evaluate(Facts(self, now.wall, asked), now.monotonic) if self.rules.rules else NOTHING

    def configure(self, config: Agent, rules: Rules, now: Moment) -> None:
        """Take over a (new) configuration; what was taken, spent and counted stays."""
        self.config = config
        make = own_bucket if self.link is None else _lent(config.id, self.link)
        self.rules = rules.bind(config.id, config.tags, self.rules, make)
        self.bucket = _bucket(self.bucket, make, "rate_limit", config.rate_limit, now)
        self.tokens = _bucket(self.tokens, make, "token_limit", config.token_limit, now)
        self.places = Places.of(self.places, config.id, config.max_concurrency, self.link)
        for breaker in self.breakers.values():
            breaker.reconfigure(config.circuit_breaker)
        self.account.set_caps(self.budget)

    # as a part of a fleet; these are only asked where there is a `link`

    def ask(self, now: Moment) -> Ask:
        """What to tell of this agent and to ask for it; what is given back is held no longer from now on."""
        share, places = self.account.share, self.places
        assert share is not None
        slots = (0, 0, None) if places is None else places.ask(now.monotonic, self.in_flight)
        return share.ask(now.wall, slots, tuple(bucket.ask(now.monotonic) for bucket in self.lent()))

    def granted(self, ask: Ask, grant: Grant, now: Moment) -> tuple[Crossing, ...]:
        """What came of it; gives the warnings that the others' spending brings."""
        share = self.account.share
        assert share is not None
        crossings = share.take(now.wall, ask, grant)
        cost, calls = share.news
        self.account.cost_pace.add(now.wall, cost)
        self.account.call_pace.add(now.wall, calls)
        if calls:
            self.last_call = now.wall
        if self.places is not None:
            self.places.take(now.monotonic, grant.slots)
        granted = {bucket.name: bucket for bucket in grant.buckets}
        for bucket in self.lent():
            if bucket.name in granted:
                bucket.take(now.monotonic, granted[bucket.name])
        return crossings

    def out_of_date(self, now: Moment) -> bool:
        """Whether what other processes did was learned too long ago, and can be asked for."""
        share = self.account.share
        return share is not None and not share.link.away and now.wall - share.seen > OUT_OF_DATE

    @property
    def unsure(self) -> bool:
        """Whether nobody has said yet what other processes did, and somebody soon will: no ground for a policy's pause."""
        share = self.account.share
        return share is not None and share.link.up and not share.seen

    @property
    def holds(self) -> bool:
        """Whether it has borrowed more than is spent."""
        share, places = self.account.share, self.places
        money = share is not None and share.ceiling > self.account.life.cost
        return money or (places is not None and places.held > 0) or any(b.upto > b.taken for b in self.lent())

    def holds_idle(self, now: Moment) -> bool:
        """Whether some of that was not used for a second."""
        share, places = self.account.share, self.places
        money = share is not None and share.idle(now.wall)
        slots = places is not None and places.idle(now.monotonic, self.in_flight)
        return money or slots or any(bucket.idle(now.monotonic) for bucket in self.lent())

    def retire(self) -> None:
        """No more calls will come: wish for nothing."""
        for one in (self.account.share, self.places, *self.lent()):
            if one is not None:
                one.retire()

    def lent(self) -> list[LentBucket]:
        """Its parts of rates that belong to a fleet."""
        buckets = [self.bucket, self.tokens, *self.rules.buckets()]
        return [bucket for bucket in buckets if isinstance(bucket, LentBucket)]

    def is_news(self, crossing: Crossing) -> bool:
        """Whether this warning is the first of its kind: what a fleet forgets and is told again brings it again."""
        cap, fraction = crossing.cap, crossing.fraction
        limit, end, warned = self._warned.get(cap.name, (0, None, 0.0))
        if (limit, end) == (cap.limit, cap.resets_at) and fraction <= warned:
            return False
        self._warned[cap.name] = (cap.limit, cap.resets_at, fraction)
        return True

    @property
    def budget(self) -> Budget:
        """The caps in force: an operator's over the configuration's."""
        if self.caps is None:
            return self.config.budget
        return attrs.evolve(self.config.budget, **attrs.asdict(self.caps))

    @property
    def caps_differ(self) -> bool:
        """Whether an operator's caps are in force that are not the configuration's."""
        return self.budget != self.config.budget


def _lent(agent: str, link: Link) -> Make:
    """Makes an agent's parts of the fleet's rates."""
    return lambda name, rate, now: LentBucket(agent, name, rate, link)


def _bucket(bucket: Bucket | None, make: Make, name: str, rate: Rate | None, now: Moment) -> Bucket | None:
    """The bucket of a (new) rate, as full as it was."""
    if rate is None:
        return None
    if bucket is None:
        return make(name, rate, now.monotonic)
    if bucket.rate != rate:
        bucket.reconfigure(rate, now.monotonic)
    return bucket
