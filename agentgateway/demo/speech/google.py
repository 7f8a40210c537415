"""Google's generateContent, its SSE stream and countTokens."""

from typing import Any

import msgspec

from agentgateway.demo.exchange import Answer, Event
from agentgateway.demo.speech.framing import sse, stream, whole
from agentgateway.demo.turn import Turn

ERROR_EVENT = sse({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})


def speak(turn: Turn, streamed: bool) -> Answer:
    """One response, or one for each piece; every chunk repeats the usage so far."""
    if streamed:
        return stream(_events(turn), turn, ERROR_EVENT)
    return whole(_chunk(turn, turn.text, turn.output_tokens, last=True), turn)


def count_tokens(turn: Turn) -> Answer:
    """What the input would be charged as."""
    return whole({"totalTokens": turn.input_tokens})


def _chunk(turn: Turn, text: str, so_far: int, last: bool) -> dict[str, Any]:
    part: dict[str, Any] = {"text": text}
    if turn.tool:
        part = {"functionCall": {"name": turn.tool, "args": msgspec.Raw(turn.text.encode())}}
    candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "MAX_TOKENS" if turn.cut else "STOP"
    counts = {
        "promptTokenCount": turn.input_tokens,
        "candidatesTokenCount": so_far,
        "totalTokenCount": turn.input_tokens + so_far,
        "cachedContentTokenCount": turn.cached,
    }
    body = {"candidates": [candidate], "modelVersion": turn.model, "responseId": turn.id}
    return body | turn.usage("usageMetadata", counts)


def _events(turn: Turn) -> list[Event]:
    if turn.tool:
        return [Event(sse(_chunk(turn, "", turn.output_tokens, last=True)), turn.output_tokens, paced=True)]
    events: list[Event] = []
    so_far = 0
    for at, (piece, tokens) in enumerate(turn.pieces, 1):
        so_far += tokens
        chunk = _chunk(turn, piece, so_far, last=at == len(turn.pieces))
        events.append(Event(sse(chunk), tokens, paced=True))
    return events
