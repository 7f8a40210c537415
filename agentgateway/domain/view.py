"""What is shown of agents and budgets, as JSON-ready values: one shape for the API, the command line and the dashboard."""

from typing import Any

from agentgateway.domain.audit import iso
from agentgateway.domain.facts import Facts
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import NANO

_WORST_FIRST = ("open", "half_open", "closed")


def agent_view(agent: AgentState, now: Moment) -> dict[str, Any]:
    """One agent as the management API shows it. Costs in dollars, times ISO-8601."""
    facts = Facts(agent, now.wall)
    life = agent.account.life
    return {
        "id": agent.id,
        "status": facts.status,
        "pause_reason": agent.pause.reason if agent.pause is not None else None,
        "model": facts.model,
        "provider": facts.provider,
        "tags": list(facts.tags),
        "cost_this_hour": facts.cost_this_hour,
        "cost_today": facts.cost_today,
        "total_cost": facts.total_cost,
        "calls_this_hour": facts.calls_this_hour,
        "call_count": life.calls,
        "error_count": life.errors,
        "error_rate": facts.error_rate,
        "input_tokens": life.input_tokens,
        "output_tokens": life.output_tokens,
        "in_flight": agent.in_flight,
        "last_call": iso(agent.last_call) if agent.last_call is not None else None,
        "budget": budget_view(agent, now),
        "rate_limit": _rate_view(agent, now),
        "circuit_breaker": _circuit_view(agent, now),
    }


def budget_view(agent: AgentState, now: Moment) -> dict[str, Any]:
    """The caps in force, what calls in flight hold, and what is left of the tightest cap (None: no cap). Dollars."""
    budget, account = agent.budget, agent.account
    room = account.room(now.wall)
    return {
        "max_cost_per_hour": _dollars(budget.max_cost_per_hour),
        "max_cost_per_day": _dollars(budget.max_cost_per_day),
        "max_cost_total": _dollars(budget.max_cost_total),
        "enforcement": budget.enforcement,
        "reserved": _dollars(account.reserved),
        "remaining": _dollars(room),
        "resets_at": {cap.name: iso(cap.resets_at) for cap in account.caps(now.wall) if cap.resets_at is not None},
    }


def _rate_view(agent: AgentState, now: Moment) -> dict[str, Any] | None:
    if agent.bucket is None:
        return None
    return {"limit": str(agent.bucket.rate), "available": agent.bucket.available(now.monotonic)}


def _circuit_view(agent: AgentState, now: Moment) -> dict[str, Any]:
    """The worst of the agent's circuits, and each by provider."""
    circuits: dict[str, dict[str, Any]] = {}
    for provider, breaker in agent.breakers.items():
        retry_at = breaker.retry_at(now.monotonic)
        circuits[provider] = {
            "state": breaker.state(now.monotonic),
            "errors": breaker.errors(now.monotonic),
            "retry_at": None if retry_at is None else iso(now.wall + retry_at - now.monotonic),
        }
    usual = {"state": "closed", "errors": 0, "retry_at": None}
    worst = min(circuits.values(), key=lambda circuit: _WORST_FIRST.index(circuit["state"]), default=usual)
    return {**worst, "providers": circuits}


def _dollars(nano: int | None) -> float | None:
    """As a JSON number: the nearest double of an exact amount prints as that amount."""
    return None if nano is None else nano / NANO
