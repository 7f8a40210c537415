"""What an operator changes about an agent, whoever carries it out: the rules of it, and how it is told."""

from collections.abc import Mapping
from typing import Final

import attrs

from agentgateway.domain.fleet import AgentState, Fleet
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import dollars
from agentgateway.domain.standing import Caps

CAPS: Final = ("max_cost_per_hour", "max_cost_per_day", "max_cost_total")


@attrs.define
class StillSpent(Exception):
    """A budget paused the agent and is spent still, as `reason` says: it has to be raised; nothing was changed."""

    reason: str


def resume(fleet: Fleet, agent: AgentState, why: str, now: Moment) -> None:
    """Let the agent call again. Raises StillSpent."""
    if agent.pause is not None and agent.pause.by == "budget" and agent.account.exhausted(now.wall) is not None:
        raise StillSpent(agent.pause.reason)
    fleet.resume(agent, why, now)
    fleet.watch_budget(agent, now)  # a budget spent while an operator's pause stood in front of it


def change_caps(fleet: Fleet, agent: AgentState, given: Mapping[str, int | None], now: Moment) -> str:
    """Other caps (nano-dollars, None for none) in place of those named in `given`; what was and what is, in words."""
    before = {name: getattr(agent.budget, name) for name in CAPS}
    fleet.set_caps(agent, Caps(**{**before, **given}), now)
    return ", ".join(f"{name} {_money(before[name])} -> {_money(cap)}" for name, cap in given.items())


def _money(nano: int | None) -> str:
    return "none" if nano is None else f"${dollars(nano)}"
