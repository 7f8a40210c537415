"""What several workers say of themselves, as one: pure, on the values that the management API shows.

What was spent and counted each of them knows for all, as of a moment ago: the largest number is the latest. What happens
right now, each knows of its own calls: that is added up. So is what is `untold` (see there) while the shared store is away.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
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
        return _alone(views[0])
    latest = max(views, key=lambda view: view["last_call"] or "")
    paused = next((view for view in views if view["status"] == "paused"), None)
    busy = any(view["status"] == "active" for view in views)
    found = _alone(views[0]) | _counted_all(views, _COUNTED)
    return found | {
        "status": "paused" if paused else "active" if busy else "idle",
        "pause_reason": paused["pause_reason"] if paused else None,
        "model": latest["model"],
        "provider": latest["provider"],
        "last_call": latest["last_call"],
        "error_rate": _error_rate(views),
        "in_flight": sum(view["in_flight"] for view in views),
        "budget": budget_of([{**view["budget"], **_untold(view)} for view in views]),
        "rate_limit": _least(views, "rate_limit", "available"),
        "circuit_breaker": _circuits_of([view["circuit_breaker"] for view in views]),
    }


def _alone(view: View) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name != "untold"}


def _untold(view: View) -> dict[str, Any]:
    return {"untold": view["untold"]} if "untold" in view else {}


def _counted_all(views: Sequence[View], names: Iterable[str]) -> dict[str, Any]:
    if any("untold" in view for view in views):
        return {name: _counted(views, name) for name in names}
    return {name: max([view[name] for view in views]) for name in names}


def _counted(views: Sequence[View], name: str, of: Callable[[View], Any] | None = None) -> Any:
    """A number that all know of: what the store was told last, and what it was not told."""
    known = of or itemgetter(name)
    untold = [view["untold"][name] if "untold" in view else 0 for view in views]
    return round(max(known(view) - part for view, part in zip(views, untold, strict=True)) + sum(untold), 9)


def _error_rate(views: Sequence[View]) -> float:
    """Of the view that is the latest; or of all of them, where none is."""
    latest = max(views, key=lambda view: int(view["calls_this_hour"]))
    if not any("untold" in view for view in views):
        return float(latest["error_rate"])
    errors = _counted(views, "errors_this_hour", lambda view: round(view["error_rate"] * view["calls_this_hour"]))
    calls = _counted(views, "calls_this_hour")
    return errors / calls if calls else 0.0


def budget_of(views: Sequence[View]) -> dict[str, Any]:
    """One budget: the same caps everywhere, what all calls hold, and what is left."""
    spent = [view["untold"]["total_cost"] if "untold" in view else 0.0 for view in views]
    left = [
        view["remaining"] - (sum(spent) - own)
        for view, own in zip(views, spent, strict=True)
        if view["remaining"] is not None
    ]
    remaining = max(0.0, round(min(left), 9)) if left else None
    held = sum(view["reserved"] for view in views)
    return _alone(views[0]) | {"reserved": round(held, 9), "remaining": remaining}


def agent_after(views: Sequence[View]) -> dict[str, Any]:
    """One agent, right after a change that the first one has made, of which the others may not have heard yet."""
    found = agent_of(views) | {"budget": budget_after([{**view["budget"], **_untold(view)} for view in views])}
    if views[0]["status"] != "paused":
        busy = any(view["status"] == "active" for view in views)
        found |= {"status": "active" if busy else "idle", "pause_reason": None}
    return found


def budget_after(views: Sequence[View]) -> dict[str, Any]:
    """One budget, right after the first one has changed its caps."""
    known = [{**view, "remaining": None} for view in views[1:]]
    found = budget_of([views[0], *known])
    held = sum(view["reserved"] for view in known)
    left = found["remaining"]
    return found | {"remaining": None if left is None else max(0.0, round(left - held, 9))}


def gateway_of(views: Sequence[View], agents: int) -> dict[str, Any]:
    """The gateway's own state: it drains when all of them do, lacks the store when one does, is as old as the oldest."""
    serving = any(view["status"] == "ok" for view in views)
    return _alone(views[0]) | {
        "status": "ok" if serving else views[0]["status"],
        "store": "ok" if all(view.get("store", "ok") == "ok" for view in views) else "degraded",
        "uptime_s": max(view["uptime_s"] for view in views),
        "agents": agents,
        "in_flight": sum(view["in_flight"] for view in views),
    }


def _least(views: Sequence[View], name: str, by: str) -> Any:
    given = [known for view in views if (known := view.get(name)) is not None]  # an earlier version may not tell it
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


# what the dashboard shows besides

_PACES_OF_ALL: Final = ("calls_per_minute", "cost_per_minute")
_HOURS: Final = ("errors_this_hour", "tokens_this_hour")
_LATENCIES: Final = ("p50_ms", "p95_ms", "ttfb_p50_ms", "ttfb_p95_ms")
_TOTALS: Final = ("cost_this_hour", "cost_today", "calls_this_hour", "errors_this_hour")
_SPENT: Final = {"hour": "cost_this_hour", "day": "cost_today", "total": "total_cost"}
_PACES: Final = (
    *("in_flight", "open_streams"),
    *("cost_per_minute", "calls_per_minute", "tokens_per_minute", "refused_per_minute"),
)


def row_of(views: Sequence[View]) -> dict[str, Any]:
    """An agent's row: of quantiles those of the slowest worker, as they cannot be added."""
    found = agent_of(views) | {name: max(view[name] for view in views) for name in _PACES_OF_ALL}
    found |= _counted_all(views, _HOURS)
    found |= {name: _slowest(views, name) for name in _LATENCIES if name in views[0]}
    every = ([{**cap, **_untold(view)} for cap in view["caps"]] for view in views)
    found["caps"] = [_cap_of(caps) for caps in zip(*every, strict=False)]
    found["paused"] = next((view["paused"] for view in views if view["paused"] is not None), None)
    found["token_limit"] = _least(views, "token_limit", "available")
    found["spark"] = added(view["spark"] for view in views)
    return found


def _cap_of(caps: Sequence[View]) -> dict[str, Any]:
    held = round(sum(cap["reserved"] for cap in caps), 9)
    spent = _counted(caps, _SPENT[caps[0]["name"]], lambda cap: cap["spent"])
    return _alone(caps[0]) | {"spent": spent, "reserved": held}


def board_of(views: Sequence[View], agents: int, viewers: int) -> dict[str, Any]:
    """The gateway as the dashboard shows it."""
    found = gateway_of(views, agents) | {"viewers": viewers}
    found |= _counted_all(views, _TOTALS)
    found["paused"] = max(view["paused"] for view in views)
    found |= {name: sum(view.get(name, 0) for view in views) for name in _PACES}
    return found | {"spark": added(view["spark"] for view in views)}


def providers_of(workers: Sequence[Iterable[View]]) -> list[dict[str, Any]]:
    """The providers that any of them shows."""
    by_name: dict[str, list[View]] = {}
    for views in workers:
        for view in views:
            by_name.setdefault(view["name"], []).append(view)
    return [_provider_of(views) for views in by_name.values()]


def _provider_of(views: Sequence[View]) -> dict[str, Any]:
    found = dict(views[0]) | {name: _slowest(views, name) for name in _LATENCIES}
    found |= {name: sum(view[name] for view in views) for name in ("calls_last_hour", "errors_last_hour")}
    found |= {name: max(view[name] for view in views) for name in ("open", "half_open")}
    return found | {"spark": added(view["spark"] for view in views)}


def _slowest(views: Sequence[View], name: str) -> Any:
    return max((view[name] for view in views if view[name] is not None), default=None)


def added(lines: Iterable[Sequence[int]]) -> list[int]:
    """Counts by minute, added up; the latest minute comes last in all of them."""
    found: list[int] = []
    for line in lines:
        more = len(line) - len(found)
        found = [0] * more + found
        for place, count in enumerate(line, len(found) - len(line)):
            found[place] += count
    return found
