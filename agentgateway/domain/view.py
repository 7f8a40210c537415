"""What is shown of agents and budgets, as JSON-ready values: one shape for the API, the command line and the dashboard."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from agentgateway.domain.agent import AgentState
from agentgateway.domain.audit import iso
from agentgateway.domain.breaker import Breaker
from agentgateway.domain.caps import Cap
from agentgateway.domain.facts import Facts
from agentgateway.domain.lent import Bucket
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import NANO

_WORST_FIRST = ("open", "half_open", "closed")
_at = lru_cache(maxsize=64)(iso)
"""For instants that many agents share: when a window ends."""


def agent_view(agent: AgentState, now: Moment) -> dict[str, Any]:
    """One agent as the management API shows it. Costs in dollars, times ISO-8601."""
    return agent_view_of(agent, now, tuple(agent.account.caps(now.wall)))


def agent_view_of(agent: AgentState, now: Moment, caps: tuple[Cap, ...]) -> dict[str, Any]:
    """The same, for who has looked at the account's caps already."""
    facts, account = Facts(agent, now.wall), agent.account
    hour, life = account.hour(now.wall), account.total
    return {
        "id": facts.id,
        "status": facts.status,
        "pause_reason": agent.pause.reason if agent.pause is not None else None,
        "model": facts.model,
        "provider": facts.provider,
        "tags": facts.tags,
        "cost_this_hour": hour.cost / NANO,
        "cost_today": account.day(now.wall).cost / NANO,
        "total_cost": life.cost / NANO,
        "calls_this_hour": hour.calls,
        "call_count": life.calls,
        "error_count": life.errors,
        "error_rate": hour.error_rate,
        "input_tokens": life.input_tokens,
        "output_tokens": life.output_tokens,
        "in_flight": agent.in_flight,
        "last_call": iso(agent.last_call) if agent.last_call is not None else None,
        "budget": _budget_view(agent, caps),
        "rate_limit": rate_view(agent.bucket, now),
        "circuit_breaker": _circuit_view(agent, now),
    }


def budget_view(agent: AgentState, now: Moment) -> dict[str, Any]:
    """The caps in force, what calls in flight hold, and what is left of the tightest cap (None: no cap). Dollars."""
    return _budget_view(agent, tuple(agent.account.caps(now.wall)))


def _budget_view(agent: AgentState, caps: Iterable[Cap]) -> dict[str, Any]:
    budget = agent.account.budget
    return {
        "max_cost_per_hour": _dollars(budget.max_cost_per_hour),
        "max_cost_per_day": _dollars(budget.max_cost_per_day),
        "max_cost_total": _dollars(budget.max_cost_total),
        "set_by": "file" if agent.caps is None else "operator",
        "enforcement": budget.enforcement,
        "reserved": agent.account.reserved / NANO,
        "remaining": _dollars(min([cap.remaining for cap in caps], default=None)),
        "resets_at": {cap.name: _at(cap.resets_at) for cap in caps if cap.resets_at is not None},
    }


def rate_view(bucket: Bucket | None, now: Moment) -> dict[str, Any] | None:
    """A rate, and what can be taken of it now; None where there is none."""
    return None if bucket is None else {"limit": str(bucket.rate), "available": bucket.available(now.monotonic)}


def _circuit_view(agent: AgentState, now: Moment) -> dict[str, Any]:
    """The worst of the agent's circuits, and each by provider."""
    circuits = {provider: _one_circuit(breaker, now) for provider, breaker in agent.breakers.items()}
    worst = _UNTRIED if not circuits else min(circuits.values(), key=_severity)
    return {**worst, "providers": circuits}


def _one_circuit(breaker: Breaker, now: Moment) -> dict[str, Any]:
    state, retry_at = breaker.state(now.monotonic), None
    if state == "open":
        retry_at = iso(now.wall + (breaker.retry_at(now.monotonic) or 0.0) - now.monotonic)
    return {"state": state, "errors": breaker.errors(now.monotonic), "retry_at": retry_at}


def _severity(circuit: dict[str, Any]) -> int:
    return _WORST_FIRST.index(circuit["state"])


_UNTRIED: Final = {"state": "closed", "errors": 0, "retry_at": None}


def _dollars(nano: int | None) -> float | None:
    """As a JSON number: the nearest double of an exact amount prints as that amount."""
    return None if nano is None else nano / NANO
