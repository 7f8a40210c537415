"""JSON bodies and server-sent events, and the errors of every dialect."""

from typing import Any, Literal

import msgspec

from agentgateway.demo.exchange import Answer, Event
from agentgateway.demo.turn import Turn

Dialect = Literal["anthropic", "openai", "google"]
JSON = (b"content-type", b"application/json")
SSE = (b"content-type", b"text/event-stream; charset=utf-8")
encode = msgspec.json.Encoder().encode
_ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip
_GOOGLE_STATUSES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def sse(data: dict[str, Any], name: str | None = None) -> bytes:
    """One server-sent event, with an `event:` line when it has a name."""
    head = b"event: %b\n" % name.encode() if name else b""
    return head + b"data: " + encode(data) + b"\n\n"


def typed(data: dict[str, Any]) -> bytes:
    """One server-sent event named by its own `type`."""
    return sse(data, data["type"])


def whole(body: dict[str, Any], turn: Turn | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An answer of one JSON body; its tokens are the turn's."""
    tokens, read = (turn.output_tokens, turn.input_tokens) if turn else (0, 0)
    return Answer((Event(encode(body), tokens),), input_tokens=read, headers=(JSON, *headers))


def stream(
    events: list[Event], turn: Turn, error_event: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Answer:
    """An answer of many events."""
    return Answer(
        tuple(events),
        streamed=True,
        input_tokens=turn.input_tokens,
        error_event=error_event,
        headers=(SSE, (b"cache-control", b"no-cache"), *headers),
    )


def refusal(dialect: Dialect, status: int, message: str) -> Answer:
    """An error as the provider shapes it; those that time heals say `retry-after`."""
    body: dict[str, Any]
    if dialect == "anthropic":
        kind = _ANTHROPIC_TYPES.get(status, "api_error")
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_standin"}
    elif dialect == "google":
        state = _GOOGLE_STATUSES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
        body = {"error": {"code": status, "message": message, "status": state}}
    else:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        code = "rate_limit_exceeded" if status == 429 else None
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    headers = (JSON, (b"retry-after", b"2")) if status in (429, 503, 529) else (JSON,)
    return Answer((Event(encode(body)),), status=status, headers=headers)
