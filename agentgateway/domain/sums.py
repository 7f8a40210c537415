"""What several workers say of themselves, as one: pure, on the values that the management API shows.

What was spent and counted each of them knows for all, as of a moment ago: the largest number is the latest. What happens
right now, each knows of its own calls: that is added up.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_COUNTED: Final = (
    *("cost_this_hour", "cost_today", "total_cost", "calls_this_hour", "call_count", "error_count"),
    *("input_tokens", "output_tokens"),
)
_WORST_FIRST: Final = ("open", "half_open", "closed")
View = Mapping[str, Any]


def agents_of(workers: Sequence[Iterable[View]]) -> list[dict[str, Any]]:
    """All agents that any of them knows, in the order in which the first one shows them."""
    by_id: dict[str, list[View]] = {}
    for views in workers:
        for view in views:
            by_id.setdefault(view["id"], []).append(view)
    return [agent_of(views) for views in by_id.values()]


def agent_of(views: Sequence[View]) -> dict[str, Any]:
    """One agent. The first view counts where they should agree."""
    if len(views) == 1:
        return dict(views[0])
    latest = max(views, key=lambda view: view["last_call"] or "")
    hour = max(views, key=lambda view: int(view["calls_this_hour"]))
    paused = next((view for view in views if view["status"] == "paused"), None)
    busy = any(view["status"] == "active" for view in views)
    found = dict(views[0]) | {name: max(view[name] for view in views) for name in _COUNTED}
    return found | {
        "status": "paused" if paused else "active" if busy else "idle",
        "pause_reason": paused["pause_reason"] if paused else None,
        "model": latest["model"],
        "provider": latest["provider"],
        "last_call": latest["last_call"],
        "error_rate": hour["error_rate"],
        "in_flight": sum(view["in_flight"] for view in views),
        "budget": budget_of([view["budget"] for view in views]),
        "rate_limit": _least(views, "rate_limit", "available"),
        "circuit_breaker": _circuits_of([view["circuit_breaker"] for view in views]),
    }


def budget_of(views: Sequence[View]) -> dict[str, Any]:
    """One budget: the same caps everywhere, what all calls hold, and what is left."""
    left = [view["remaining"] for view in views if view["remaining"] is not None]
    held = sum(view["reserved"] for view in views)
    return dict(views[0]) | {"reserved": round(held, 9), "remaining": min(left, default=None)}


def gateway_of(views: Sequence[View], agents: int) -> dict[str, Any]:
    """The gateway's own state: it drains when all of them do, and is as old as the oldest."""
    serving = any(view["status"] == "ok" for view in views)
    return dict(views[0]) | {
        "status": "ok" if serving else views[0]["status"],
        "uptime_s": max(view["uptime_s"] for view in views),
        "agents": agents,
        "in_flight": sum(view["in_flight"] for view in views),
    }


def _least(views: Sequence[View], name: str, by: str) -> Any:
    given = [view[name] for view in views if view[name] is not None]
    return min(given, key=lambda one: one[by]) if given else None


def _circuits_of(views: Sequence[View]) -> dict[str, Any]:
    """The worst of each provider's, and of all."""
    providers: dict[str, Any] = {}
    for view in views:
        for name, circuit in view["providers"].items():
            known = providers.get(name)
            providers[name] = circuit if known is None else min(known, circuit, key=_rank)
    worst: View = min(views, key=_rank)
    return {**worst, "providers": providers}


def _rank(circuit: View) -> tuple[int, int]:
    return _WORST_FIRST.index(circuit["state"]), -circuit["errors"]
