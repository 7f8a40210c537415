"""The agents as they are now: one state object each, found by id or by gateway key."""

import re
from collections.abc import Callable, Iterable, Iterator

import attrs

from agentgateway.config.schema import Agent, Config
from agentgateway.domain.agent import AgentState as AgentState
from agentgateway.domain.alert import Alert
from agentgateway.domain.caps import Crossing
from agentgateway.domain.facts import Facts
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import dollars
from agentgateway.domain.policy import AgentRules, Rules, Verdict, cooldown
from agentgateway.domain.share import Share
from agentgateway.domain.standing import Caps, Pause, PausedBy, Standing, said_after
from agentgateway.domain.untold import former

AGENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
ANONYMOUS = "anonymous"
"""The id of callers that give none, where the template `*` serves them."""
MAX_UNNAMED = 10_000
"""Agents made from the template `*`: what strangers can make us remember."""
TOLD_ONCE = 60.0
"""Seconds within which processes of one fleet come to see the same."""


class Fleet:
    """All agents: the configured ones, and those that the template `*` has made on the way.

    `tell` hears of each change of a standing, `alert` of what an operator should know. `link`: to the fleet whose agents
    these are, where several processes serve it.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        now: Moment,
        tell: Callable[[Standing], None] = lambda _: None,
        alert: Callable[[Alert], None] = lambda _: None,
        link: Link | None = None,
    ) -> None:
        self.ledger = ledger
        self.by_key: dict[bytes, AgentState] = {}
        self.admin = b""
        """The SHA-256 of the admin token: what is shown with it is for the gateway, never for a provider."""
        self._agents: dict[str, AgentState] = {}
        self._tell = tell
        self.alert = alert
        self._link = link
        self._unnamed = 0
        self._template: Agent | None = None
        self._rules = Rules(())
        self.configure(config, now)

    def configure(self, config: Config, now: Moment) -> None:
        """Take over a (new) configuration; states of agents that stay are kept, and so is the money of those that go."""
        self._template = config.agents.get("*")
        self._rules = Rules.of(config.policies)
        named = {name: agent for name, agent in config.agents.items() if name != "*"}
        for name, state in list(self._agents.items()):
            if name not in named and self._template is None:
                del self._agents[name]
            elif name not in named and self._template is not None:
                state.configure(attrs.evolve(self._template, id=name), self._rules, now)
        for name, agent in named.items():
            known = self._agents.get(name)
            if known is None:
                self._agents[name] = self._new(agent, now)
            else:
                known.configure(agent, self._rules, now)
        self._named = named.keys()
        self._unnamed = len(self._agents) - len(named)
        self.by_key = {agent.key_sha256: self._agents[name] for name, agent in named.items() if agent.key_sha256}

    def _new(self, config: Agent, now: Moment) -> AgentState:
        account = self.ledger.account(config.id, config.budget)
        if self._link is not None and account.share is None:
            account.share = Share(account, self._link)
        state = AgentState(config, account, AgentRules(()), self._link)
        state.configure(config, self._rules, now)
        return state

    def restore(self, standings: Iterable[Standing], now: Moment) -> None:
        """Agents stand as they stood before a restart, those of the template too that have spent anything."""
        for account in tuple(self.ledger):
            self.find(account.id, now)
            former(account)
        for standing in standings:
            state = self.find(standing.agent, now)
            if state is not None:
                state.pause, state.caps = standing.pause, standing.caps
                state.paused_at, state.capped_at = standing.paused_at, standing.capped_at
                state.account.set_caps(state.budget)

    def find(self, agent_id: str, now: Moment) -> AgentState | None:
        """The agent of that id; made from the template where there is one. None: unknown, or one too many."""
        state = self._agents.get(agent_id)
        if state is not None or self._template is None or self._unnamed >= MAX_UNNAMED:
            return state
        if AGENT_ID.fullmatch(agent_id):
            state = self._agents[agent_id] = self._new(attrs.evolve(self._template, id=agent_id), now)
            self._unnamed += 1
        return state

    def get(self, agent_id: str) -> AgentState | None:
        """The agent of that id, if it is known already."""
        return self._agents.get(agent_id)

    def __iter__(self) -> Iterator[AgentState]:
        return iter(self._agents.values())

    def __len__(self) -> int:
        return len(self._agents)

    @property
    def shares(self) -> bool:
        """Whether other processes serve these agents, too."""
        return self._link is not None

    @property
    def cut_off(self) -> bool:
        """Whether what it shares with other processes is away."""
        return self._link is not None and self._link.away

    def note(self, agent: AgentState) -> None:
        """Have it written down that there is this agent, if only the template has made it."""
        if agent.id not in self._named:
            self.keep(agent)

    def keep(self, agent: AgentState) -> None:
        """Have it written down how the agent stands."""
        self._tell(agent.standing)

    # what changes a standing

    def _stands(self, agent: AgentState, now: Moment, by: PausedBy) -> None:
        """It is paused or resumed. What a budget pauses, each process finds out by itself."""
        if by != "budget":
            agent.paused_at = said_after(agent.paused_at, now.wall)
        self.keep(agent)
        if by != "budget" and self._link is not None:
            self._link.stand(agent.standing)

    def pause(self, agent: AgentState, by: PausedBy, reason: str, now: Moment, until: float | None = None) -> None:
        """Refuse this agent's calls from now on; those in flight finish. An operator's pause outranks the others."""
        if agent.pause is not None and agent.pause.by == "operator" and by != "operator":
            return
        agent.pause = Pause(by, reason, now.wall, until)
        self._stands(agent, now, by)
        once = None if by == "operator" else TOLD_ONCE
        self.alert(Alert(now.wall, "pause", f"{agent.id} is paused: {reason}", agent.id, once=once))

    def resume(self, agent: AgentState, why: str, now: Moment) -> None:
        """Let this agent call again."""
        if agent.pause is None:
            return
        by, agent.pause = agent.pause.by, None
        if by == "policy":
            agent.rules.overrule(Facts(agent, now.wall))
        self._stands(agent, now, by)
        once = TOLD_ONCE if by == "budget" else None
        text = f"{agent.id} is resumed: {why}"
        self.alert(Alert(now.wall, "resume", text, agent.id, once=once, good=True))

    def set_caps(self, agent: AgentState, caps: Caps | None, now: Moment) -> None:
        """Caps of an operator, or the file's again (None), at once, for calls in flight too; a raised one lifts its pause."""
        agent.caps, agent.capped_at = caps, said_after(agent.capped_at, now.wall)
        agent.account.set_caps(agent.budget)
        self.keep(agent)
        if self._link is not None:
            self._link.cap(agent.standing)
        self.watch_budget(agent, now)
        agent.account.stop_streams(now.wall)

    def watch_budget(self, agent: AgentState, now: Moment) -> None:
        """Pause an agent that has spent a cap up, until that cap's window ends; lift a budget's pause that has no ground."""
        pause = agent.pause
        if pause is not None and pause.by != "budget":
            return
        cap = agent.account.exhausted(now.wall)
        if cap is None:
            if pause is not None:
                self.resume(agent, "its budget has room again", now)
        elif pause is None or pause.until != cap.resets_at:
            self.pause(agent, "budget", budget_reason(cap.name, cap.limit), now, cap.resets_at)

    def crossed(self, agent: AgentState, crossing: Crossing, now: Moment) -> None:
        """A warning of what is spent of a cap, and the agent's pause when that is all."""
        cap = crossing.cap
        if crossing.fraction >= 1:
            self.watch_budget(agent, now)
            return
        if not agent.is_news(crossing):
            return
        text = f"{agent.id} has spent {crossing.fraction:.0%} of its budget of ${dollars(cap.limit)} ({cap.name})"
        once = TOLD_ONCE if cap.resets_at is None else max(TOLD_ONCE, cap.resets_at - now.wall)
        self.alert(Alert(now.wall, "budget", text, agent.id, once=once))

    def settle_down(self, now: Moment, agents: Iterable[AgentState] | None = None) -> None:
        """Once a second, of all agents or some: pauses whose window has ended are lifted, policies are looked at."""
        for agent in self if agents is None else agents:
            if agent.pause is not None and agent.pause.by == "budget":
                self.watch_budget(agent, now)
            if agent.rules.rules:
                self.apply(agent, agent.judge(now), now)
            if agent.breakers:
                self._watch_circuits(agent, now)

    def _watch_circuits(self, agent: AgentState, now: Moment) -> None:
        """Tell of circuits that have opened, and of those that have closed again."""
        for provider, breaker in agent.breakers.items():
            state = breaker.state(now.monotonic)
            if state == "open" and provider not in agent.broken:
                agent.broken.add(provider)
                text = f"{agent.id}: provider {provider!r} keeps failing"
                self.alert(Alert(now.wall, "breaker", text, agent.id, once=TOLD_ONCE))
            elif state == "closed" and provider in agent.broken:
                agent.broken.discard(provider)
                text = f"{agent.id}: provider {provider!r} works again"
                self.alert(Alert(now.wall, "breaker", text, agent.id, once=TOLD_ONCE, good=True))

    def apply(self, agent: AgentState, verdict: Verdict, now: Moment) -> None:
        """Do what policies decided, but for what concerns a single call."""
        if verdict.pause is not None and agent.pause is None and not agent.unsure:
            policy = verdict.pause
            self.pause(agent, "policy", f"policy {policy.name!r}: {policy.condition}", now)
        for policy in verdict.alerts:
            webhook = policy.params.get("webhook")
            does = {"deny": "denies the calls of", "throttle": "slows down"}.get(policy.action, "holds for")
            text = f"policy {policy.name!r} {does} {agent.id}: {policy.condition}"
            hook, once = str(webhook) if webhook else None, cooldown(policy)
            self.alert(Alert(now.wall, "policy", text, agent.id, policy.name, hook, once))


def budget_reason(name: str, limit: int) -> str:
    """Which cap is spent up, in words."""
    window = {"hour": "per hour", "day": "per day", "total": "in total"}[name]
    return f"the budget of ${dollars(limit)} {window} is spent"
