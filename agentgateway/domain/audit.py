"""The audit record of one call: what it was, how it went, what it cost. No bodies, no keys."""

import re
import time

import msgspec

from agentgateway.domain.caps import Reservation
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment


class AuditRecord(msgspec.Struct, frozen=True, gc=False):
    """One line of the audit log, its fields in the order they are written."""

    id: str
    ts: str
    agent: str | None
    provider: str | None
    model: str | None
    requested_model: str | None
    method: str
    path: str
    status: int
    outcome: str
    reason: str | None
    stream: bool
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    usage: str
    cost_usd: float
    """Nano-dollars divided by 10^9: the nearest double, which prints as the exact decimal up to eight million dollars."""
    latency_ms: float
    ttfb_ms: float | None
    session: str | None
    tags: tuple[str, ...]
    prices: str | None
    """"known", or "assumed" where the model has no price; None where nothing was priced."""


_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_encode = msgspec.json.Encoder().encode
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")
"""What JSON leaves as it is and a terminal, or a reader of lines, would not."""
_stamp: tuple[int, str] = (0, "")


def encode(record: AuditRecord) -> bytes:
    """One line of JSON, its line end left out, without any control character in it."""
    line = _encode(record)
    if line.isascii() and b"\x7f" not in line:
        return line
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


def iso(wall: float) -> str:
    """Epoch seconds as ISO-8601 UTC with milliseconds, rounded down."""
    global _stamp
    second = int(wall)
    if _stamp[0] != second:  # most calls of a second share its text
        _stamp = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
    return f"{_stamp[1]}.{int((wall - second) * 1000):03d}Z"


def lost_record(call: Reservation, now: float) -> AuditRecord:
    """The record of a call that was in flight when the process was killed: nothing is known of it but what it held."""
    blank = dict.fromkeys(("provider", "model", "requested_model", "ttfb_ms", "session", "prices"))
    counts = dict.fromkeys((*_COUNTS, "status", "latency_ms"), 0)
    return AuditRecord(
        **blank,  # type: ignore[arg-type]
        **counts,  # type: ignore[arg-type]
        id=call.id,
        ts=iso(now),
        agent=call.agent,
        method="",
        path="",
        outcome="cut",
        reason="gateway_killed",
        stream=False,
        usage="estimated",
        cost_usd=call.amount / 1e9,
        tags=(),
    )


def record_of(exchange: Exchange, now: Moment) -> AuditRecord:
    """The record of a call that is over."""
    usage, target, began = exchange.usage, exchange.target, exchange.began
    first = exchange.first_byte
    return AuditRecord(
        exchange.id,
        iso(began.wall),
        exchange.agent_id,
        target.provider.name if target is not None else None,
        exchange.model,
        exchange.requested_model,
        exchange.method,
        exchange.path or exchange.uri.partition("?")[0],
        exchange.status,
        exchange.outcome,
        exchange.reason,
        exchange.streamed,
        usage.reported_input,
        usage.output,
        usage.cache_read,
        usage.cache_write + usage.cache_write_1h,
        usage.reasoning,
        exchange.usage_kind,
        exchange.cost / 1e9,
        int((now.monotonic - began.monotonic) * 1e6 + 0.5) / 1000,
        None if first is None else int(first * 1e6 + 0.5) / 1000,
        exchange.session,
        exchange.agent.config.tags if exchange.agent is not None else (),
        None if exchange.rates is None else "assumed" if exchange.rates.assumed else "known",
    )


def record_of_change(
    id: str, wall: float, agent: str | None, method: str, path: str, what: str, latency_ms: float = 0.0
) -> AuditRecord:
    """The record of an operator's change: `what` says who it was, and what was before and after. No model, no cost."""
    nothing = dict.fromkeys(("provider", "model", "requested_model", "ttfb_ms", "session", "prices"))
    counts = dict.fromkeys((*TOKENS, "cost_usd"), 0)
    said = {"id": id, "ts": iso(wall), "agent": agent, "method": method, "path": path, "reason": what}
    done = {"status": 200, "outcome": "ok", "stream": False, "usage": "none", "latency_ms": latency_ms, "tags": ()}
    return AuditRecord(**nothing, **counts, **said, **done)  # type: ignore[arg-type]


TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
