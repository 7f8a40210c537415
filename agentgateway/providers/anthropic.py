"""Anthropic's dialect: `/v1/messages`.

Usage (docs.anthropic.com, "Messages" and "Streaming"): `input_tokens` excludes cache reads and writes; in a stream
`message_start` says the input and `message_delta` the output so far, and may say the input again: of each count the
last value stands, nothing is added up. `cache_creation` splits cache writes into those for 5 minutes and for 1 hour.
`iterations` of type "compaction" are billed on top of the counts beside them.
"""

import json
from typing import Any

import attrs
import msgspec

from agentgateway.domain.usage import Usage
from agentgateway.providers import lenient, splice
from agentgateway.providers.dialect import STANDARD, Asked, Reading, Surface, count, name, tier
from agentgateway.providers.lenient import Count, Counts

_TYPES = {
    "unknown_agent": "authentication_error",
    "bad_key": "authentication_error",
    "agent_paused": "permission_error",
    "policy_denied": "permission_error",
    "rate_limited": "rate_limit_error",
    "budget_exceeded": "billing_error",
    "unpriced_model": "billing_error",
    "circuit_open": "overloaded_error",
    "bad_request": "invalid_request_error",
    "draining": "overloaded_error",
    "overloaded": "overloaded_error",
}


class AnthropicDialect:
    """Errors as Anthropic's API words them."""

    name = "anthropic"

    def refusal(self, status: int, reason: str, message: str, call_id: str) -> bytes:
        """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""
        error = {"type": _TYPES.get(reason, "api_error"), "message": message}
        return json.dumps({"type": "error", "error": error, "request_id": call_id}).encode("ascii")

    def error_event(self, reason: str, message: str, call_id: str) -> bytes:
        """The same, as an `error` event."""
        return b"event: error\ndata: " + self.refusal(0, reason, message, call_id) + b"\n\n"


ANTHROPIC = AnthropicDialect()


class _CacheCreation(Counts):
    ephemeral_5m_input_tokens: Count = None
    ephemeral_1h_input_tokens: Count = None


class _Details(Counts):
    thinking_tokens: Count = None


class _ServerTools(Counts):
    web_search_requests: Count = None


class _Iteration(Counts):
    type: str | None = None
    input_tokens: Count = None
    output_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None


class Spent(Counts):
    """Anthropic's usage object."""

    input_tokens: Count = None
    output_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _Details | None = None
    server_tool_use: _ServerTools | None = None
    iterations: list[_Iteration] | None = None
    service_tier: Any = None
    speed: Any = None


class _Delta(msgspec.Struct):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct):
    model: Any = None
    usage: Spent | None = None


class _Event(msgspec.Struct):
    type: Any = None
    delta: _Delta | None = None
    message: _Message | None = None
    usage: Spent | None = None
    model: Any = None
    error: Any = None


class _Whole(msgspec.Struct):
    type: Any = None
    model: Any = None
    usage: Spent | None = None
    error: Any = None


class _Content(msgspec.Struct):
    content: Any = None


class _Ask(msgspec.Struct):
    model: Any = None
    stream: Any = None
    max_tokens: Any = None
    service_tier: Any = None
    speed: Any = None


_NOTHING_MORE = Usage()
_event = msgspec.json.Decoder(_Event).decode
_whole = msgspec.json.Decoder(_Whole).decode
_content = msgspec.json.Decoder(_Content).decode
_ask = msgspec.json.Decoder(_Ask).decode


@attrs.frozen(slots=True)
class Messages(Surface):
    """`/v1/messages`; not billable: `/v1/messages/count_tokens`, which takes the same request."""

    def understand(self, path: str, body: bytes) -> Asked:
        """See Surface. `service_tier: auto` counts as the standard: the answer says what it became."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None:
            return Asked(well_formed=False)
        context = tier(ask.service_tier)
        if ask.speed == "fast":
            context = {**context, "speed": "fast"}
        return Asked(name(ask.model), ask.stream is True, count(ask.max_tokens), False, context or None)

    def fill_model(self, body: bytes, model: str) -> bytes:
        """See Surface."""
        return splice.put(body, ("model",), json.dumps(model).encode("ascii"))

    def lower_limit(self, body: bytes, limit: int) -> bytes:
        """See Surface. The member is `max_tokens`."""
        return splice.put(body, ("max_tokens",), b"%d" % limit)

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """See Surface."""
        answer = lenient.decoded(_whole, _Whole, body, reading)
        if answer is None:
            return
        reading.model = name(answer.model) or reading.model
        reading.failed |= answer.type == "error"
        if answer.usage is not None:
            take(answer.usage, reading)
        if not reading.sure:
            content = lenient.decoded(_content, _Content, body, Reading())
            reading.sent_chars += lenient.written(content.content) if content is not None else 0

    def read_event(self, data: bytes, reading: Reading) -> None:
        """See Surface."""
        try:
            event = _event(data)
        except (ValueError, RecursionError):
            event = lenient.decoded(_event, _Event, data, reading) or _Event()
        kind, delta = event.type, event.delta
        if delta is not None and kind == "content_block_delta":
            for text in (delta.text, delta.partial_json, delta.thinking):
                if text:
                    reading.sent_chars += len(text)
        elif kind == "message_start" and event.message is not None:
            reading.model = name(event.message.model) or reading.model
            if event.message.usage is not None:
                take(event.message.usage, reading, partial=True)
        elif kind == "message_stop":
            reading.terminal = reading.final = True
        elif kind == "error":
            reading.failed = True
        if event.usage is not None:
            take(event.usage, reading)


def take(spent: Spent, reading: Reading, partial: bool = False) -> None:
    """Let each count that `spent` says stand from now on; `partial`: the output it says is not the last word."""
    usage = reading.usage
    extra = _compactions(spent.iterations) if spent.iterations else _NOTHING_MORE
    if spent.input_tokens is not None:
        usage.reported_input = spent.input_tokens
        usage.input = spent.input_tokens + extra.input
    if spent.output_tokens is not None:
        usage.output = spent.output_tokens + extra.output
        reading.known |= not partial
    if spent.cache_read_input_tokens is not None:
        usage.cache_read = spent.cache_read_input_tokens + extra.cache_read
    _take_cache_writes(spent, usage, extra.cache_write)
    if spent.output_tokens_details is not None and spent.output_tokens_details.thinking_tokens is not None:
        usage.reasoning = spent.output_tokens_details.thinking_tokens
    usage.reasoning = min(usage.reasoning, usage.output)
    if spent.server_tool_use is not None and spent.server_tool_use.web_search_requests is not None:
        usage.web_searches = spent.server_tool_use.web_search_requests
    if spent.service_tier is not None or spent.speed is not None:
        _take_context(spent, reading)


def _compactions(steps: list[_Iteration]) -> Usage:
    """What the answer's compactions used."""
    used = Usage()
    for step in steps:
        if step.type == "compaction":
            used.input += step.input_tokens or 0
            used.output += step.output_tokens or 0
            used.cache_read += step.cache_read_input_tokens or 0
            used.cache_write += step.cache_creation_input_tokens or 0
    return used


def _take_cache_writes(spent: Spent, usage: Usage, extra: int) -> None:
    """The total and its split may come together or apart; what the split leaves over counts as 5-minute writes."""
    split, total = spent.cache_creation, spent.cache_creation_input_tokens
    if split is not None and split.ephemeral_1h_input_tokens is not None:
        usage.cache_write_1h = split.ephemeral_1h_input_tokens
        if total is None:
            total = split.ephemeral_1h_input_tokens + (split.ephemeral_5m_input_tokens or 0)
    if total is not None:
        usage.cache_write_1h = min(usage.cache_write_1h, total)
        usage.cache_write = total - usage.cache_write_1h + extra


def _take_context(spent: Spent, reading: Reading) -> None:
    """Which price modifiers the answer was served under."""
    context = dict(tier(spent.service_tier)) if spent.service_tier is not None else dict(reading.context or {})
    if spent.speed == "fast":
        context["speed"] = "fast"
    elif spent.speed is not None:
        context.pop("speed", None)
    reading.context = context or STANDARD


MESSAGES = Messages(ANTHROPIC, "chat", ends=True)
COUNT_TOKENS = Messages(ANTHROPIC, "count_tokens", billable=False)
FREE = Surface(ANTHROPIC, "other", billable=False)
