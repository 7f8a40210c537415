"""OpenAI's Responses API: `/responses`, `/responses/compact`, `/responses/input_tokens`.

The usage of a stream is in the response that `response.completed`, `.incomplete` or `.failed` carries. A response that
is queued or in progress (`background: true`) says its usage only to who fetches it later.
"""

import json
from typing import Any

import attrs
import msgspec

from agentgateway.providers import lenient, openai_usage, splice
from agentgateway.providers.dialect import Asked, Reading, Surface, count, name, tier
from agentgateway.providers.openai_errors import OpenAiDialect
from agentgateway.providers.openai_usage import Tokens

_LAST = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_WAITING = ("queued", "in_progress")


class ResponsesDialect(OpenAiDialect):
    """OpenAI's errors; in a stream they are events with a type."""

    def error_event(self, reason: str, message: str, call_id: str) -> bytes:
        """An `error` event of the Responses API, which holds the error object besides: SDKs raise on that."""
        error = self.error(reason, message)
        event = {"type": "error", "code": error["code"], "message": message, "param": None, "error": error}
        return b"event: error\ndata: " + json.dumps(event).encode("ascii") + b"\n\n"


RESPONSES_DIALECT = ResponsesDialect()


class _Response(msgspec.Struct):
    model: Any = None
    usage: Tokens | None = None
    service_tier: Any = None
    status: Any = None
    error: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    delta: Any = None
    response: _Response | None = None
    usage: Tokens | None = None
    model: Any = None


class _Output(msgspec.Struct):
    output: Any = None


class _Ask(msgspec.Struct):
    model: Any = None
    stream: Any = None
    max_output_tokens: Any = None
    service_tier: Any = None


_event = msgspec.json.Decoder(_Event).decode
_response = msgspec.json.Decoder(_Response).decode
_output = msgspec.json.Decoder(_Output).decode
_ask = msgspec.json.Decoder(_Ask).decode


@attrs.frozen(slots=True)
class Responses(Surface):
    """`/responses` and what takes the same request."""

    def understand(self, path: str, body: bytes) -> Asked:
        """See Surface."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None:
            return Asked(well_formed=False)
        context = tier(ask.service_tier) or None
        return Asked(name(ask.model), ask.stream is True, count(ask.max_output_tokens), False, context)

    def fill_model(self, body: bytes, model: str) -> bytes:
        """See Surface."""
        return splice.put(body, ("model",), json.dumps(model).encode("ascii"))

    def lower_limit(self, body: bytes, limit: int) -> bytes:
        """See Surface. The member is `max_output_tokens`."""
        return splice.put(body, ("max_output_tokens",), b"%d" % limit)

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """See Surface."""
        answer = lenient.decoded(_response, _Response, body, reading)
        if answer is None:
            return
        _take(answer, reading)
        reading.failed |= answer.status == "failed" or bool(answer.error)
        if answer.status in _WAITING and answer.usage is None:
            reading.later = True
        elif not reading.sure:
            output = lenient.decoded(_output, _Output, body, Reading())
            reading.sent_chars += lenient.written(output.output) if output is not None else 0

    def read_event(self, data: bytes, reading: Reading) -> None:
        """See Surface."""
        event = lenient.decoded(_event, _Event, data, reading)
        if event is None:
            return
        kind = event.type
        if isinstance(event.delta, str):
            if kind != "response.audio.delta":
                reading.sent_chars += len(event.delta)
            return
        if event.response is not None:
            _take(event.response, reading)
        if event.usage is not None:
            openai_usage.take(event.usage, reading)
        if kind in _LAST:
            reading.terminal = reading.final = True
        if kind in ("error", "response.failed"):
            reading.failed = True


def _take(response: _Response, reading: Reading) -> None:
    reading.model = name(response.model) or reading.model
    if response.service_tier is not None:
        reading.context = tier(response.service_tier)
    if response.usage is not None:
        openai_usage.take(response.usage, reading)


RESPONSES = Responses(RESPONSES_DIALECT, "chat", ends=True)
COMPACT = Responses(RESPONSES_DIALECT, "chat")
INPUT_TOKENS = Responses(RESPONSES_DIALECT, "count_tokens", billable=False)
