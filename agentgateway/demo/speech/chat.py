"""OpenAI's chat completions, whole and streamed."""

from typing import Any

from agentgateway.demo.exchange import Answer, Event
from agentgateway.demo.speech.framing import sse, stream, whole
from agentgateway.demo.turn import Turn

CREATED = 1_760_000_000
"""A fixed time stamp, so that answers are the same ones every day."""
ERROR_EVENT = sse(
    {"error": {"message": "The server had an error", "type": "server_error", "param": None, "code": None}}
)


def speak(turn: Turn, streamed: bool) -> Answer:
    """A completion, whole or as a stream that ends in `[DONE]`."""
    headers = ((b"x-request-id", b"req_" + turn.id.encode()), (b"openai-processing-ms", b"7"))
    if streamed:
        return stream(_events(turn), turn, ERROR_EVENT, headers)
    message: dict[str, Any] = {"role": "assistant", "content": None if turn.tool else turn.text, "refusal": None}
    if turn.tool:
        message["tool_calls"] = [_tool_call(turn, turn.text)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(turn)}
    body = _head(turn, "chat.completion") | {"choices": [choice]}
    return whole(body | turn.usage("usage", _counts(turn)), turn, headers)


def _head(turn: Turn, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{turn.id}", "object": kind, "created": CREATED, "model": turn.model,
            "service_tier": "default", "system_fingerprint": "fp_standin"}  # fmt: skip


def _counts(turn: Turn) -> dict[str, Any]:
    """`prompt_tokens` includes what was read from the cache."""
    return {
        "prompt_tokens": turn.input_tokens,
        "completion_tokens": turn.output_tokens,
        "total_tokens": turn.input_tokens + turn.output_tokens,
        "prompt_tokens_details": {"cached_tokens": turn.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _finish_reason(turn: Turn) -> str:
    return "tool_calls" if turn.tool else "length" if turn.cut else "stop"


def _tool_call(turn: Turn, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{turn.id}", "type": "function", "function": {"name": turn.tool, "arguments": arguments}}


def _events(turn: Turn) -> list[Event]:
    """Where usage was wanted, every chunk but the extra last one carries `"usage": null`."""
    head = _head(turn, "chat.completion.chunk")
    tail = {"usage": None} if turn.usage_wanted else {}

    def chunk(delta: dict[str, Any], finished: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finished}
        return sse(head | {"choices": [choice]} | tail)

    opening: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
    if turn.tool:
        opening = {"role": "assistant", "content": None, "tool_calls": [{"index": 0} | _tool_call(turn, "")]}
    events = [Event(chunk(opening))]
    for piece, tokens in turn.pieces:
        part = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} if turn.tool else {"content": piece}
        events.append(Event(chunk(part), tokens, paced=True))
    events.append(Event(chunk({}, _finish_reason(turn))))
    if turn.usage_wanted and turn.fault != "no-usage":
        events.append(Event(sse(head | {"choices": []} | turn.usage("usage", _counts(turn)))))
    events.append(Event(b"data: [DONE]\n\n"))
    return events
