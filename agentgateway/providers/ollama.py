"""Ollama's own API: `/api/chat`, `/api/generate`, `/api/embed`; its errors pass as OpenAI's.

A stream is one JSON object a line and counts as a whole body; the last line, `"done": true`, says the counts.
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


class _Line(Counts):
    model: Any = None
    message: Any = None
    response: Any = None
    prompt_eval_count: Count = None
    eval_count: Count = None
    done: Any = None
    error: Any = None


class _Ask(msgspec.Struct):
    model: Any = None
    stream: Any = None
    options: Any = None


_line = msgspec.json.Decoder(_Line).decode
_ask = msgspec.json.Decoder(_Ask).decode


@attrs.frozen(slots=True)
class Ollama(Surface):
    """Chat, completion and embeddings."""

    def understand(self, path: str, body: bytes) -> Asked:
        """See Surface. Answers are streamed unless the request says otherwise."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None:
            return Asked(well_formed=False)
        options = ask.options if isinstance(ask.options, dict) else {}
        return Asked(name(ask.model), ask.stream is not False, count(options.get("num_predict")))

    def fill_model(self, body: bytes, model: str) -> bytes:
        """See Surface."""
        return splice.put(body, ("model",), json.dumps(model).encode("ascii"))

    def lower_limit(self, body: bytes, limit: int) -> bytes:
        """See Surface. The member is `options.num_predict`."""
        return splice.put(body, ("options", "num_predict"), b"%d" % limit)

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """See Surface."""
        for line in body.splitlines():
            if line.strip():
                self.read_event(line, reading)

    def read_event(self, data: bytes, reading: Reading) -> None:
        """See Surface."""
        line = lenient.decoded(_line, _Line, data, reading)
        if line is None:
            return
        reading.model = name(line.model) or reading.model
        reading.sent_chars += lenient.written(line.message) + lenient.written(line.response)
        reading.failed |= bool(line.error)
        if line.prompt_eval_count is not None:
            reading.known = True
            reading.usage = Usage(line.prompt_eval_count, line.eval_count or 0, reported_input=line.prompt_eval_count)


CHAT = Ollama(OPENAI, "chat")
EMBED = Ollama(OPENAI, "embeddings")
