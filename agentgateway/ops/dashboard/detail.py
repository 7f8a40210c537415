"""More about one agent than its row says, and the streams that are open."""

from typing import Any

from agentgateway.config.schema import CAP_KEYS
from agentgateway.domain.audit import iso
from agentgateway.domain.facts import Facts
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.money import NANO
from agentgateway.ops.dashboard.rows import row_view
from agentgateway.ops.dashboard.shared import Shared, Stream

MAX_STREAMS = 500
"""Streams listed; the oldest, which are those that may be stuck."""


def agent_detail(live: Shared, agent: AgentState) -> dict[str, Any]:
    """The agent's row but for its charts, its limits as configured, and how its policies stand."""
    now, config = live.moment(), agent.config
    return row_view(agent, None, now) | {
        "limits": {
            "rate_limit": None if config.rate_limit is None else str(config.rate_limit),
            "token_limit": None if config.token_limit is None else str(config.token_limit),
            "max_concurrency": config.max_concurrency,
            "fallback": list(config.fallback),
            "error_threshold": config.circuit_breaker.error_threshold,
            "needs_key": config.key_sha256 is not None,
        },
        "caps_of_operator": caps_of_operator(agent),
        "policies": policies_view(agent, now.wall),
    }


def caps_of_operator(agent: AgentState) -> dict[str, float | None]:
    """Caps that an operator has set to something else than the configuration: by name, what that one says (dollars)."""
    given, now = agent.config.budget, agent.budget
    return {
        name: None if cap is None else cap / NANO
        for name, key in CAP_KEYS.items()
        if (cap := getattr(given, key)) != getattr(now, key)
    }


def policies_view(agent: AgentState, wall: float) -> list[dict[str, Any]]:
    """The policies that are for this agent, and whether each holds now."""
    facts = Facts(agent, wall)
    return [
        {
            "name": rule.policy.name,
            "condition": rule.policy.condition,
            "action": rule.policy.action,
            "holds": rule.condition(facts),
        }
        for rule in agent.rules.rules
    ]


def streams_view(live: Shared) -> list[dict[str, Any]]:
    """The open streams, oldest first: whose, since when (seconds), and what they have cost so far (dollars)."""
    now = live.moment().monotonic
    return [_stream_view(stream, now) for stream in list(live.streams.values())[:MAX_STREAMS]]


def _stream_view(stream: Stream, now: float) -> dict[str, Any]:
    exchange = stream.exchange
    held = exchange.reservation
    return {
        "id": exchange.id,
        "agent": exchange.agent_id,
        "provider": exchange.target.provider.name if exchange.target is not None else None,
        "model": exchange.model,
        "path": exchange.path,
        "began": iso(exchange.began.wall),
        "age_s": round(now - exchange.began.monotonic, 1),
        "ttfb_ms": None if exchange.first_byte is None else round(exchange.first_byte * 1000, 1),
        "cost_so_far": None if held is None or not held.accrued else held.accrued / NANO,
    }
