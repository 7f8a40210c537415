"""What other processes of a fleet say of an agent's pause and caps: each part by itself, and of each what was said last.

The shared store numbers words in the order of the times at which they were said, and so they are heard; an older one is
only heard by who has said a newer one that is still on its way there. So in the end all go by the same.
"""

from agentgateway.domain.agent import AgentState
from agentgateway.domain.facts import Facts
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import Caps, Pause


def pause_heard(fleet: Fleet, agent: AgentState, pause: Pause | None, at: int, now: Moment) -> None:
    """Somebody paused the agent, or resumed it; what its budget has paused stays so until that has room."""
    before = agent.pause
    if at < agent.paused_at or (at == agent.paused_at and pause == said(before)):
        return
    if pause is None and before is not None and before.by == "policy":
        agent.rules.overrule(Facts(agent, now.wall))
    agent.pause, agent.paused_at = pause or _budgets(before), at
    fleet.keep(agent)
    fleet.watch_budget(agent, now)


def caps_heard(fleet: Fleet, agent: AgentState, caps: Caps | None, at: int, now: Moment) -> None:
    """An operator set other caps; they are in effect at once, for calls in flight too."""
    if at < agent.capped_at or (at == agent.capped_at and caps == agent.caps):
        return
    agent.caps, agent.capped_at = caps, at
    agent.account.set_caps(agent.budget)
    fleet.keep(agent)
    fleet.watch_budget(agent, now)
    agent.account.stop_streams(now.wall)


def said(pause: Pause | None) -> Pause | None:
    """A pause, where it is one that somebody has said."""
    return None if _budgets(pause) else pause


def _budgets(pause: Pause | None) -> Pause | None:
    return pause if pause is not None and pause.by == "budget" else None
