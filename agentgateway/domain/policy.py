"""Policies: conditions over one agent's facts, and what they do. Values come out; nobody is paused or called here.

`Rules` is the configuration's policies, compiled. `Rules.bind` narrows them to one agent, once, into `AgentRules`.
These keep what a policy needs to remember about that agent: the slower bucket of `throttle`, when `alert` last spoke,
and which `pause` an operator has overruled.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Self, cast

import attrs

from agentgateway.config.schema import Policy, PolicyAction, Rate
from agentgateway.domain.expression import Condition, compile_condition, none_holds_of
from agentgateway.domain.lent import Bucket, Make, own_bucket

DEFAULT_COOLDOWN: Final = 300.0
"""Seconds between two alerts of one policy about one agent."""


@attrs.frozen
class Throttle:
    """A policy that slows an agent down now, and the bucket a call must also take from."""

    policy: Policy
    bucket: Bucket


@attrs.frozen
class Verdict:
    """What the policies say at one moment. Where several pause or deny, the first in the file stands."""

    deny: Policy | None = None
    pause: Policy | None = None
    throttles: tuple[Throttle, ...] = ()
    alerts: tuple[Policy, ...] = ()


NOTHING: Final = Verdict()


@attrs.define(eq=False)
class Rule:
    """One policy as it applies to one agent."""

    policy: Policy
    condition: Condition
    make: Make = own_bucket
    bucket: Bucket | None = None
    """Of `throttle`, once its condition has held."""
    quiet_until: float | None = None
    """It has spoken up: not again before."""
    overruled: bool = False
    """Of `pause`: the operator resumed the agent while the condition held; it must cease before it counts again."""


def pause(verdict: Verdict, rule: Rule, now: float) -> Verdict:
    """Pause the agent, unless an operator resumed it in spite of this."""
    if rule.overruled or verdict.pause is not None:
        return verdict
    return attrs.evolve(verdict, pause=rule.policy)


def deny(verdict: Verdict, rule: Rule, now: float) -> Verdict:
    """Refuse the call, and speak up as `alert` does."""
    verdict = alert(verdict, rule, now)
    return verdict if verdict.deny is not None else attrs.evolve(verdict, deny=rule.policy)


def throttle(verdict: Verdict, rule: Rule, now: float) -> Verdict:
    """Add a slower bucket of `params.rate`, full when the condition first holds and then kept; speak up as `alert` does."""
    if rule.bucket is None:
        rule.bucket = rule.make(f"policy {rule.policy.name}", cast(Rate, rule.policy.params["rate"]), now)
    verdict = alert(verdict, rule, now)
    return attrs.evolve(verdict, throttles=(*verdict.throttles, Throttle(rule.policy, rule.bucket)))


def cooldown(policy: Policy) -> float:
    """Seconds between two alerts of a policy about one agent."""
    return cast(float, policy.params.get("cooldown", DEFAULT_COOLDOWN))


def alert(verdict: Verdict, rule: Rule, now: float) -> Verdict:
    """Speak up, but not again within `params.cooldown` seconds."""
    if rule.quiet_until is not None and now < rule.quiet_until:
        return verdict
    rule.quiet_until = now + cooldown(rule.policy)
    return attrs.evolve(verdict, alerts=(*verdict.alerts, rule.policy))


ACTIONS: Final[Mapping[PolicyAction, Callable[[Verdict, Rule, float], Verdict]]] = {
    "pause": pause,
    "deny": deny,
    "throttle": throttle,
    "alert": alert,
}
"""What a policy can do: a verdict so far, a rule whose condition holds and the time give the verdict with it."""


@attrs.define(eq=False)
class AgentRules:
    """The policies that apply to one agent, in the order of the file."""

    rules: tuple[Rule, ...]
    _overruled: bool = attrs.field(init=False)
    """Whether an operator has overruled one."""
    _none_holds: Callable[[object], bool] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._look()
        self._none_holds = none_holds_of(tuple(rule.condition.source for rule in self.rules))

    def evaluate(self, facts: object, now: float) -> Verdict:
        """What they say of `facts` (see `expression.NAMES`). `now` is of a monotonic clock, in seconds."""
        verdict = NOTHING
        if not self._overruled and self._none_holds(facts):
            return verdict
        for rule in self.rules:
            if rule.condition(facts):
                verdict = ACTIONS[rule.policy.action](verdict, rule, now)
            elif rule.overruled:
                rule.overruled = False
        self._look()
        return verdict

    def buckets(self) -> Iterator[Bucket]:
        """The slower rates in force."""
        return (rule.bucket for rule in self.rules if rule.bucket is not None)

    def overrule(self, facts: object) -> None:
        """An operator resumes the agent: pauses whose condition holds just now wait until it has ceased once."""
        for rule in self.rules:
            rule.overruled = rule.policy.action == "pause" and rule.condition(facts)
        self._look()

    def _look(self) -> None:
        self._overruled = any(rule.overruled for rule in self.rules)


@attrs.frozen
class Rules:
    """All policies of a configuration, each compiled once."""

    policies: tuple[tuple[Policy, Condition], ...]

    @classmethod
    def of(cls, policies: Iterable[Policy]) -> Self:
        """Compile `policies`. Raises ExpressionError where a condition is not in the language."""
        return cls(tuple((policy, compile_condition(policy.condition)) for policy in policies))

    def bind(
        self, agent: str, tags: Iterable[str], before: AgentRules | None = None, make: Make = own_bucket
    ) -> AgentRules:
        """The rules for one agent, by id and tags. A policy that was there `before`, unchanged, keeps its memory."""
        names = {agent, *tags}
        kept = {rule.policy.name: rule for rule in before.rules} if before else {}
        applying = (entry for entry in self.policies if not entry[0].agents or names.intersection(entry[0].agents))
        return AgentRules(tuple(_carried(Rule(policy, condition, make), kept) for policy, condition in applying))


def _carried(rule: Rule, kept: Mapping[str, Rule]) -> Rule:
    known = kept.get(rule.policy.name)
    return known if known is not None and known.policy == rule.policy else rule
