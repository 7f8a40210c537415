"""Calls of no known kind: images, audio, re-ranking, whatever comes later.

They pass as they are and are metered where the answer carries a usage object in one of the known shapes; where it does
not they cost nothing, as nobody could say what.
"""

import re
from typing import Any

import attrs
import msgspec

from agentgateway.providers import anthropic, cohere, google, lenient, openai, responses
from agentgateway.providers.dialect import Asked, Dialect, Reading, Surface, name

_FORM_MODEL = re.compile(rb'name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,200})\r\n')
_FORM_SEARCHED = 64 * 1024


class _Ask(msgspec.Struct):
    model: Any = None
    stream: Any = None


_ask = msgspec.json.Decoder(_Ask).decode


@attrs.frozen(slots=True)
class Passing(Surface):
    """Anything."""

    def understand(self, path: str, body: bytes) -> Asked:
        """See Surface. The model is found in JSON and in the form that audio is uploaded with; any body will do."""
        if body[:2] == b"--":
            field = _FORM_MODEL.search(body, 0, _FORM_SEARCHED) or _FORM_MODEL.search(body, len(body) - _FORM_SEARCHED)
            return Asked(field[1].decode("utf-8", "replace") if field else None)
        ask = lenient.parsed(_ask, _Ask, body) if body.lstrip()[:1] == b"{" else None
        return Asked() if ask is None else Asked(name(ask.model), ask.stream is True)

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """See Surface."""
        if (surface := _speaks_like(body)) is not None:
            surface.read_whole(body, reading)

    def read_event(self, data: bytes, reading: Reading) -> None:
        """See Surface."""
        if (surface := _speaks_like(data)) is not None:
            surface.read_event(data, reading)


def _speaks_like(answer: bytes) -> Surface | None:
    """The surface whose usage object this is, if it holds one."""
    if b'"usageMetadata"' in answer:
        return google.GENERATE
    if b'"billed_units"' in answer:
        return cohere.CHAT
    if b'"usage"' not in answer:
        return None
    if b'"cache_read_input_tokens"' in answer or b'"cache_creation_input_tokens"' in answer:
        return anthropic.MESSAGES
    return responses.RESPONSES if b'"response"' in answer else openai.CHAT


def passing(dialect: Dialect) -> Passing:
    """The surface of unknown calls that refuses in `dialect`."""
    return Passing(dialect, "other", owed=False)
