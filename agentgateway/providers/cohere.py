"""Cohere's own API: `/v2/chat`, `/v2/embed` and their first versions; its errors pass as OpenAI's.

Cohere bills `billed_units`, not the `tokens` beside them, which count its own prompts too. Streams say them in
`message-end`.
"""

import json
from typing import Any

import attrs
import msgspec

from agentgateway.domain.usage import Usage
from agentgateway.providers import lenient, splice
from agentgateway.providers.dialect import Asked, Reading, Surface, count, name
from agentgateway.providers.lenient import Count, Counts
from agentgateway.providers.openai_errors import OPENAI


class _Units(Counts):
    input_tokens: Count = None
    output_tokens: Count = None
    image_tokens: Count = None


class _Billing(Counts):
    billed_units: _Units | None = None


class _Delta(msgspec.Struct):
    message: Any = None
    usage: _Billing | None = None


class _Response(msgspec.Struct):
    meta: _Billing | None = None


class _Answer(msgspec.Struct):
    """A whole answer or an event: what one has not the other has."""

    type: Any = None
    message: Any = None
    text: Any = None
    usage: _Billing | None = None
    meta: _Billing | None = None
    delta: _Delta | None = None
    response: _Response | None = None


class _Ask(msgspec.Struct):
    model: Any = None
    stream: Any = None
    max_tokens: Any = None


_answer = msgspec.json.Decoder(_Answer).decode
_ask = msgspec.json.Decoder(_Ask).decode


@attrs.frozen(slots=True)
class Cohere(Surface):
    """Chat and embeddings."""

    generates: bool = True

    def understand(self, path: str, body: bytes) -> Asked:
        """See Surface."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None:
            return Asked(well_formed=False)
        return Asked(name(ask.model), ask.stream is True, count(ask.max_tokens))

    def fill_model(self, body: bytes, model: str) -> bytes:
        """See Surface."""
        return splice.put(body, ("model",), json.dumps(model).encode("ascii"))

    def lower_limit(self, body: bytes, limit: int) -> bytes:
        """See Surface. The member is `max_tokens`."""
        return splice.put(body, ("max_tokens",), b"%d" % limit) if self.generates else body

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """See Surface."""
        answer = lenient.decoded(_answer, _Answer, body, reading)
        if answer is None:
            return
        _take(answer.usage or answer.meta, reading)
        if self.generates and not reading.sure:
            reading.sent_chars += lenient.written(answer.message) + lenient.written(answer.text)

    def read_event(self, data: bytes, reading: Reading) -> None:
        """See Surface."""
        event = lenient.decoded(_answer, _Answer, data, reading)
        if event is None:
            return
        if event.delta is not None:
            reading.sent_chars += lenient.written(event.delta.message)
            _take(event.delta.usage, reading)
        elif event.response is not None:
            _take(event.response.meta, reading)
        if event.type in ("message-end", "stream-end"):
            reading.terminal = reading.final = True


def _take(billing: _Billing | None, reading: Reading) -> None:
    units = billing.billed_units if billing is not None else None
    if units is None or units.input_tokens is None:
        return
    images = units.image_tokens or 0
    reading.known = True
    reading.usage = usage = Usage(units.input_tokens + images, units.output_tokens or 0)
    usage.reported_input = usage.input
    usage.input_image = images


CHAT = Cohere(OPENAI, "chat", ends=True)
EMBED = Cohere(OPENAI, "embeddings", generates=False)
