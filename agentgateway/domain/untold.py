"""What a process of a fleet has done that the others cannot know, because the shared store is away: to be shown with theirs.

What each of several workers shows of an agent then is what all did as far as the store was told, and what it did itself
since. The latest of the former and the sum of the latter is what all did (`sums`).
"""

from collections.abc import Iterable
from typing import Any, Final

from agentgateway.domain.account import Account
from agentgateway.domain.agent import AgentState
from agentgateway.domain.counters import Tally
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import NANO
from agentgateway.domain.view import agent_view, budget_view

View = dict[str, Any]
_TOTALS: Final = ("cost_this_hour", "cost_today", "calls_this_hour", "errors_this_hour")


def former(account: Account) -> None:
    """What former runs of this process did counts as told: nearly all of it was."""
    if account.share is not None:
        account.share.life.told = Tally(*account.life.numbers())


def is_untold(account: Account) -> bool:
    """Whether there is anything."""
    share = account.share
    return share is not None and not share.link.up and account.life != share.life.told


def untold(account: Account, wall: float) -> View:
    """By the names in an agent's view; empty where the store is there, or knows all."""
    share = account.share
    if share is None or not is_untold(account):
        return {}
    life = _less(account.life, share.life.told)
    hours, days = account.own_windows()
    hour, day = _least(hours.at(wall), life), _least(days.at(wall), life)
    return {
        "cost_this_hour": hour.cost / NANO,
        "cost_today": day.cost / NANO,
        "total_cost": life.cost / NANO,
        "calls_this_hour": hour.calls,
        "errors_this_hour": hour.errors,
        "tokens_this_hour": hour.tokens,
        "call_count": life.calls,
        "error_count": life.errors,
        "input_tokens": life.input_tokens,
        "output_tokens": life.output_tokens,
    }


def agent_part(agent: AgentState, now: Moment) -> View:
    """An agent's view for who joins it with those of other workers."""
    return agent_view(agent, now) | part(agent.account, now.wall)


def budget_part(agent: AgentState, now: Moment) -> View:
    """A budget's view for who joins it with those of other workers."""
    return budget_view(agent, now) | part(agent.account, now.wall)


def part(account: Account, wall: float) -> View:
    """What makes a view one of several: nothing, but while the store is away."""
    found = untold(account, wall)
    return {"untold": found} if found else {}


def sums_of(accounts: Iterable[Account], wall: float) -> View:
    """The same of a gateway, by the names of its totals; empty where there is nothing."""
    found: dict[str, float] = {}
    for view in (untold(account, wall) for account in accounts):
        for name in _TOTALS if view else ():
            found[name] = round(found.get(name, 0) + view[name], 9)
    return {"untold": found} if found else {}


def _less(tally: Tally, other: Tally) -> Tally:
    pairs = zip(tally.numbers(), other.numbers(), strict=True)
    return Tally(*(max(0, one - another) for one, another in pairs))


def _least(tally: Tally, other: Tally) -> Tally:
    return Tally(*map(min, tally.numbers(), other.numbers()))
