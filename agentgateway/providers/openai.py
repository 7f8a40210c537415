"""OpenAI's dialect: `/chat/completions`, `/completions`, `/embeddings`.

Groq, Mistral, DeepSeek, OpenRouter, Cerebras and local servers speak it with small differences. A stream says its usage
in one more chunk, without choices, if `stream_options.include_usage` asks for it; some say it unasked in their last
chunk, or in every one (the last stands), Groq within `x_groq`. `data: [DONE]` ends a stream.
"""

import json
import re
from typing import Any

import attrs
import msgspec

from agentgateway.providers import lenient, openai_usage, splice
from agentgateway.providers.dialect import Asked, Reading, Surface, count, name, tier
from agentgateway.providers.openai_errors import OPENAI
from agentgateway.providers.openai_usage import Tokens

_REASONING_MODEL = re.compile(r"(?:.*/)?(?:o\d|gpt-(?:[5-9]|\d\d))")
_UNASKED = re.compile(r"(?:labs-|open-)?(?:mistral|ministral|mixtral|codestral|devstral|magistral|pixtral|voxtral)-")
"""Models by the names that Mistral's own API gives them."""


class _Function(msgspec.Struct):
    arguments: Any = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    text: Any = None


class _XGroq(msgspec.Struct):
    usage: Tokens | None = None


class _Chunk(msgspec.Struct):
    model: Any = None
    choices: list[_Choice] | None = None
    usage: Tokens | None = None
    x_groq: _XGroq | None = None
    service_tier: Any = None
    error: Any = None


class _Whole(msgspec.Struct):
    model: Any = None
    usage: Tokens | None = None
    x_groq: _XGroq | None = None
    service_tier: Any = None
    error: Any = None


class _Sides(msgspec.Struct):
    choices: Any = None
    usage: Any = None


class _Ask(msgspec.Struct):
    model: Any = None
    stream: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    n: Any = None
    best_of: Any = None
    stream_options: Any = None
    service_tier: Any = None


_chunk = msgspec.json.Decoder(_Chunk).decode
_whole = msgspec.json.Decoder(_Whole).decode
_sides = msgspec.json.Decoder(_Sides).decode
_ask = msgspec.json.Decoder(_Ask).decode


@attrs.frozen(slots=True)
class Completions(Surface):
    """`/chat/completions`, and `/completions` and `/embeddings`, which share its requests and usage."""

    generates: bool = True
    """Its answers have output to be charged; embeddings have none."""

    def understand(self, path: str, body: bytes) -> Asked:
        """See Surface."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None:
            return Asked(well_formed=False)
        limits = [limit for limit in (count(ask.max_completion_tokens), count(ask.max_tokens)) if limit is not None]
        options = ask.stream_options
        return Asked(
            name(ask.model),
            ask.stream is True,
            max(limits) * _choices(ask) if limits else None,
            isinstance(options, dict) and options.get("include_usage") is True,
            tier(ask.service_tier) or None,
            choices=_choices(ask),
        )

    def fill_model(self, body: bytes, model: str) -> bytes:
        """See Surface."""
        return splice.put(body, ("model",), json.dumps(model).encode("ascii"))

    def ask_usage(self, body: bytes) -> bytes:
        """See Surface. Mistral says usage unasked and refuses requests with members it does not know."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None or not self.generates or _UNASKED.match(name(ask.model) or ""):
            return body
        return splice.put(body, ("stream_options", "include_usage"), b"true")

    def lower_limit(self, body: bytes, limit: int) -> bytes:
        """See Surface. What the request uses of `max_tokens` and `max_completion_tokens` is lowered.

        Where it uses neither, reasoning models get the newer name, the only one they take, and others the older one,
        the only one some compatible servers know.
        """
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None or not self.generates:
            return body
        each = max(1, limit // _choices(ask))
        given = [(key, getattr(ask, key)) for key in ("max_tokens", "max_completion_tokens")]
        used = [(key, old) for key, old in given if old is not None]
        if not used:
            newer = self.operation == "chat" and _REASONING_MODEL.match(name(ask.model) or "")
            used = [("max_completion_tokens" if newer else "max_tokens", None)]
        for key, old in used:
            most = count(old)
            body = splice.put(body, (key,), b"%d" % (each if most is None else min(each, most)))
        return body

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """See Surface. An error object where the choices should be is an answer that costs nothing."""
        answer = lenient.decoded(_whole, _Whole, body, reading)
        if answer is None:
            return
        _take_names(answer, reading)
        if (usage := _usage(answer)) is not None:
            openai_usage.take(usage, reading)
        reading.failed |= bool(answer.error)
        if self.generates and not reading.sure:
            chunk = lenient.decoded(_chunk, _Chunk, body, Reading())
            reading.sent_chars += _written(chunk.choices) if chunk is not None and chunk.choices else 0

    def read_event(self, data: bytes, reading: Reading) -> None:
        """See Surface."""
        if data[:6] == b"[DONE]":
            reading.terminal = reading.final = True
            return
        chunk = lenient.decoded(_chunk, _Chunk, data, reading)
        if chunk is None:
            return
        if reading.model is None or reading.context is None:
            _take_names(chunk, reading)
        if chunk.choices:
            reading.sent_chars += _written(chunk.choices)
        if (usage := _usage(chunk)) is not None:
            openai_usage.take(usage, reading)
            _take_names(chunk, reading)
        if chunk.error:
            reading.failed = True

    def is_usage_only(self, data: bytes) -> bool:
        """See Surface."""
        try:
            sides = _sides(data)
        except (ValueError, RecursionError):
            return False
        return sides.choices == [] and sides.usage is not None


def _take_names(answer: _Chunk | _Whole, reading: Reading) -> None:
    reading.model = name(answer.model) or reading.model
    if answer.service_tier is not None:
        reading.context = tier(answer.service_tier)


def _usage(answer: _Chunk | _Whole) -> Tokens | None:
    if answer.usage is not None:
        return answer.usage
    return answer.x_groq.usage if answer.x_groq is not None else None


def _written(choices: list[_Choice]) -> int:
    """Characters of output in a chunk's or an answer's choices."""
    total = 0
    for choice in choices:
        part = choice.delta or choice.message
        if part is None:
            total += lenient.written(choice.text)
            continue
        content = part.content
        total += len(content) if type(content) is str else lenient.written(content)
        if thought := part.reasoning_content or part.reasoning or part.refusal:
            total += lenient.written(thought)
        for call in part.tool_calls or ():
            total += lenient.written(call.function.arguments) if call.function is not None else 0
    return total


def _choices(ask: _Ask) -> int:
    """How many answers a request asks to be paid for."""
    return max(1, count(ask.n) or 1, count(ask.best_of) or 1)


CHAT = Completions(OPENAI, "chat", ends=True)
COMPLETION = Completions(OPENAI, "completion", ends=True)
EMBEDDINGS = Completions(OPENAI, "embeddings", generates=False)
FREE = Surface(OPENAI, "other", billable=False)
