"""OpenAI's Responses API, whole and streamed."""

from typing import Any

from agentgateway.demo.exchange import Answer, Event
from agentgateway.demo.speech.chat import CREATED
from agentgateway.demo.speech.framing import stream, typed, whole
from agentgateway.demo.turn import Turn

ERROR_EVENT = typed({"type": "error", "code": "server_error", "message": "The server had an error", "param": None,
                     "sequence_number": 99})  # fmt: skip


def speak(turn: Turn, streamed: bool) -> Answer:
    """A response, whole or as the stream of its making."""
    headers = ((b"x-request-id", b"req_" + turn.id.encode()),)
    if streamed:
        return stream(_events(turn), turn, ERROR_EVENT, headers)
    return whole(_finished(turn), turn, headers)


def _response(turn: Turn, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{turn.id}", "object": "response", "created_at": CREATED, "status": status, "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "model": turn.model, "output": [],
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": None,
    }  # fmt: skip


def _finished(turn: Turn) -> dict[str, Any]:
    """The response as it stands at the end; one that the limit cut is incomplete."""
    counts = {
        "input_tokens": turn.input_tokens,
        "input_tokens_details": {"cached_tokens": turn.cached},
        "output_tokens": turn.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": turn.input_tokens + turn.output_tokens,
    }
    body = _response(turn, "incomplete" if turn.cut else "completed") | {
        "output": [_item(turn, turn.text, "completed")]
    }
    if turn.cut:
        body["incomplete_details"] = {"reason": "max_output_tokens"}
    return body | turn.usage("usage", counts)


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _item(turn: Turn, text: str, status: str) -> dict[str, Any]:
    """The one output item: a message, or the call of a function."""
    if turn.tool:
        return {"type": "function_call", "id": f"fc_{turn.id}", "call_id": f"call_{turn.id}", "name": turn.tool,
                "arguments": text, "status": status}  # fmt: skip
    content = [_part(text)] if status == "completed" else []
    return {"type": "message", "id": f"msg_{turn.id}", "status": status, "role": "assistant", "content": content}


def _events(turn: Turn) -> list[Event]:
    steps = [*_opening(turn), *_deltas(turn), *_closing(turn)]
    return [
        Event(typed(data | {"sequence_number": number}), tokens, paced=data["type"].endswith(".delta"))
        for number, (data, tokens) in enumerate(steps)
    ]


def _place(turn: Turn) -> dict[str, Any]:
    place: dict[str, Any] = {"item_id": _item(turn, "", "")["id"], "output_index": 0}
    return place if turn.tool else place | {"content_index": 0}


def _opening(turn: Turn) -> list[tuple[dict[str, Any], int]]:
    item = _item(turn, "", "in_progress")
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(turn, "in_progress")},
        {"type": "response.in_progress", "response": _response(turn, "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
    ]
    if not turn.tool:
        events.append({"type": "response.content_part.added", **_place(turn), "part": _part("")})
    return [(event, 0) for event in events]


def _deltas(turn: Turn) -> list[tuple[dict[str, Any], int]]:
    kind = "response.function_call_arguments.delta" if turn.tool else "response.output_text.delta"
    extra: dict[str, Any] = {} if turn.tool else {"logprobs": []}
    place = _place(turn)
    return [({"type": kind, **place, "delta": piece, **extra}, tokens) for piece, tokens in turn.pieces]


def _closing(turn: Turn) -> list[tuple[dict[str, Any], int]]:
    place, text, finished = _place(turn), turn.text, _finished(turn)
    done: list[dict[str, Any]] = (
        [{"type": "response.function_call_arguments.done", **place, "name": turn.tool, "arguments": text}]
        if turn.tool
        else [
            {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **place, "part": _part(text)},
        ]
    )
    done.append({"type": "response.output_item.done", "output_index": 0, "item": _item(turn, text, "completed")})
    done.append({"type": f"response.{finished['status']}", "response": finished})
    return [(event, 0) for event in done]
