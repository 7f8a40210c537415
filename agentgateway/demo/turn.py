"""One turn of a conversation: what was asked, and what the stand-in will say, before any dialect."""

import zlib
from itertools import pairwise
from typing import Any

import attrs
import msgspec

from agentgateway.demo.knobs import Knobs
from agentgateway.demo.prose import prose

_SIZE, _PIECES, _CHARACTERS_A_TOKEN = 240, 8, 4
_EXAMPLES: dict[str, Any] = {"string": "Paris", "integer": 7, "number": 7.5, "boolean": True, "array": [], "object": {}}
_TOOL_RESULTS = (b"tool_result", b"tool_call_id", b"function_call_output", b"functionResponse")


class Asked(msgspec.Struct):
    """The fields of a body that change the answer, in any dialect."""

    model: str = ""
    stream: bool = False
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    stream_options: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    input: Any = None
    encoding_format: str = "float"
    dimensions: int | None = None
    generationConfig: dict[str, Any] | None = None

    @property
    def limit(self) -> int | None:
        """The most output tokens wanted."""
        google = (self.generationConfig or {}).get("maxOutputTokens")
        return self.max_completion_tokens or self.max_output_tokens or self.max_tokens or google


@attrs.frozen
class Turn:
    """What will be said: `pieces` are (text, output tokens); with a `tool` they are its JSON arguments instead."""

    id: str
    model: str
    pieces: tuple[tuple[str, int], ...]
    input_tokens: int
    cached: int = 0
    tool: str | None = None
    cut: bool = False
    """The caller's limit ended it."""
    usage_wanted: bool = False
    """An OpenAI chat stream asked for its usage."""
    fault: str = ""

    @property
    def text(self) -> str:
        """All pieces together."""
        return "".join(piece for piece, _ in self.pieces)

    @property
    def output_tokens(self) -> int:
        """Of all pieces together."""
        return sum(tokens for _, tokens in self.pieces)

    def usage(self, key: str, counts: dict[str, Any]) -> dict[str, Any]:
        """`{key: counts}` as a provider would report it, or what a fault makes of it."""
        if self.fault == "no-usage":
            return {}
        if self.fault == "odd-usage":
            return {key: {name: (-7, "many")[at % 2] for at, name in enumerate(counts)}}
        return {key: counts}


def take_turn(asked: Asked, model: str, body: bytes, knobs: Knobs) -> Turn:
    """Decide what to say. The same body and knobs give the same turn; input is a token for four bytes of body."""
    seed = zlib.crc32(body)
    tool = _tool(asked, body)
    text, tokens, cut = _call_tool(tool) if tool else _talk(asked, knobs, seed)
    return Turn(
        id=f"{seed:024x}",
        model=model,
        pieces=_split(text, tokens, knobs.chunks),
        input_tokens=max(1, len(body) // _CHARACTERS_A_TOKEN),
        cached=knobs.cached,
        tool=tool["name"] if tool else None,
        cut=cut,
        usage_wanted=bool((asked.stream_options or {}).get("include_usage")),
        fault=knobs.fault,
    )


def _talk(asked: Asked, knobs: Knobs, seed: int) -> tuple[str, int, bool]:
    """The text, its tokens, and whether the caller's limit cut it."""
    size = knobs.bytes
    tokens = knobs.output if knobs.output is not None else -(-(_SIZE if size is None else size) // _CHARACTERS_A_TOKEN)
    cut = asked.limit is not None and tokens > asked.limit
    if cut and asked.limit is not None:
        tokens = asked.limit
    if size is None:
        size = min(tokens * _CHARACTERS_A_TOKEN, 1 << 20)
        size = max(size, (knobs.chunks or 0) * _CHARACTERS_A_TOKEN)
    return prose(seed, size), tokens, cut


def _tool(asked: Asked, body: bytes) -> dict[str, Any] | None:
    """The first tool offered, when the prompt asks to use it and no result of one has come yet."""
    if not asked.tools or b"use the tool" not in body.lower() or any(mark in body for mark in _TOOL_RESULTS):
        return None
    offered = asked.tools[0]
    declared = (offered.get("functionDeclarations") or [offered])[0]
    declared = declared.get("function") or declared
    schema = declared.get("input_schema") or declared.get("parameters") or {}
    return {"name": str(declared.get("name", "tool")), "schema": schema}


def _call_tool(tool: dict[str, Any]) -> tuple[str, int, bool]:
    """Arguments that fit the tool's schema, one level deep."""
    wanted = tool["schema"].get("properties", {})
    filled = {name: _EXAMPLES.get(str(kind.get("type", "string")).lower(), "Paris") for name, kind in wanted.items()}
    text = msgspec.json.encode(filled).decode()
    return text, -(-len(text) // _CHARACTERS_A_TOKEN), False


def _split(text: str, tokens: int, chunks: int | None) -> tuple[tuple[str, int], ...]:
    """Cut into equal pieces, tokens spread evenly; they add up to the whole exactly."""
    count = chunks or max(1, min(_PIECES, len(text)))
    edges = [(at * len(text) // count, at * tokens // count) for at in range(count + 1)]
    return tuple((text[a:b], m - n) for (a, n), (b, m) in pairwise(edges))
