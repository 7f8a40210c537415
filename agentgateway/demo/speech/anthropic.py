"""Anthropic's Messages API: a whole message, its stream, and the count of tokens."""

from typing import Any

import msgspec

from agentgateway.demo.exchange import Answer, Event
from agentgateway.demo.speech.framing import stream, typed, whole
from agentgateway.demo.turn import Turn

_OVERLOADED = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded"},
    "request_id": "req_standin",
}
ERROR_EVENT = typed(_OVERLOADED)


def speak(turn: Turn, streamed: bool) -> Answer:
    """A message, whole or as a stream."""
    headers = ((b"request-id", b"req_" + turn.id.encode()),)
    if streamed:
        return stream(_events(turn), turn, ERROR_EVENT, headers)
    body = _message(turn) | {"content": [_block(turn, filled=True)], "stop_reason": _stop_reason(turn)}
    return whole(body | turn.usage("usage", _counts(turn)), turn, headers)


def count_tokens(turn: Turn) -> Answer:
    """What the input would be charged as."""
    return whole({"input_tokens": turn.input_tokens})


def _message(turn: Turn) -> dict[str, Any]:
    return {
        "id": f"msg_{turn.id}", "type": "message", "role": "assistant", "model": turn.model,
        "content": [], "stop_reason": None, "stop_sequence": None,
    }  # fmt: skip


def _counts(turn: Turn, output: int | None = None) -> dict[str, Any]:
    """Input excludes what was read from the cache."""
    return {
        "input_tokens": max(0, turn.input_tokens - turn.cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": turn.cached,
        "output_tokens": turn.output_tokens if output is None else output,
    }


def _stop_reason(turn: Turn) -> str:
    return "tool_use" if turn.tool else "max_tokens" if turn.cut else "end_turn"


def _block(turn: Turn, filled: bool) -> dict[str, Any]:
    """The one content block, as it stands at the end or as it is opened in a stream."""
    if turn.tool:
        arguments = msgspec.Raw(turn.text.encode() if filled else b"{}")
        return {"type": "tool_use", "id": f"toolu_{turn.id}", "name": turn.tool, "input": arguments}
    return {"type": "text", "text": turn.text if filled else ""}


def _events(turn: Turn) -> list[Event]:
    started = {"type": "message_start", "message": _message(turn) | turn.usage("usage", _counts(turn, 1))}
    events = [
        Event(typed(started)),
        Event(typed({"type": "content_block_start", "index": 0, "content_block": _block(turn, filled=False)})),
        Event(typed({"type": "ping"})),
    ]
    kind, key = ("input_json_delta", "partial_json") if turn.tool else ("text_delta", "text")
    for piece, tokens in turn.pieces:
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": kind, key: piece}}
        events.append(Event(typed(delta), tokens, paced=True))
    stopped = {"stop_reason": _stop_reason(turn), "stop_sequence": None}
    final = turn.usage("usage", {"output_tokens": turn.output_tokens})
    events.append(Event(typed({"type": "content_block_stop", "index": 0})))
    events.append(Event(typed({"type": "message_delta", "delta": stopped} | final)))
    events.append(Event(typed({"type": "message_stop"})))
    return events
