"""Agents that are paused, and policies that deny: refused before anything is looked at that costs more."""

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal
from agentgateway.domain.standing import Pause
from agentgateway.pipeline.onion import BORROW, MOST_WAITS, Answer, Quiet


class Screen(Quiet):
    """Asks the agent's standing and the policies; what these decide beyond this call is done by the fleet.

    Where several processes serve the agent, policies go by what all of them did: a call waits for that to be known.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Refuses a paused agent's calls; calls that are free are not refused for money."""
        agent = exchange.agent
        assert agent is not None and exchange.surface is not None
        if agent.rules.rules:
            if agent.link is not None and exchange.borrowed < MOST_WAITS and agent.out_of_date(now):
                exchange.borrowed += 1
                agent.link.urge(agent.id)
                return BORROW
            asked = exchange.wanted_model if exchange.surface.billable else exchange.requested_model
            exchange.verdict = verdict = agent.judge(now, asked)
            if verdict.pause is not None or verdict.alerts:
                self._fleet.apply(agent, verdict, now)
            if verdict.deny is not None and agent.pause is None:
                return Refusal("policy_denied", f"policy {verdict.deny.name!r} denies this: {verdict.deny.condition}")
        pause = agent.pause
        if pause is None:
            return None
        if pause.by == "budget":
            self._fleet.watch_budget(agent, now)  # the window may have turned since
            if agent.pause is None or not exchange.surface.billable:
                return None
        return _paused(agent.id, agent.pause or pause, now)


def _paused(agent: str, pause: Pause, now: Moment) -> Refusal:
    if pause.by != "budget":
        return Refusal("agent_paused", f"agent {agent!r} is paused: {pause.reason}; an operator can resume it")
    return Refusal("budget_exceeded", f"{pause.reason}; {when(pause.until, now)}")


def when(until: float | None, now: Moment) -> str:
    """When a spent budget lets its agent go on, in words."""
    if until is None:
        return "it has to be raised before this agent can go on"
    return f"it resets in {_span(until - now.wall)}, or raise it"


def _span(seconds: float) -> str:
    """A time for people: minutes, and hours where there are some."""
    minutes = max(1, -(-int(seconds) // 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
