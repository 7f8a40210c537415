"""The small endpoints of both big providers: models, embeddings, files."""

import base64
import random
import struct
from typing import Any

from agentgateway.demo.exchange import Answer, Request
from agentgateway.demo.speech.chat import CREATED
from agentgateway.demo.speech.framing import whole
from agentgateway.demo.turn import Asked, Turn

_MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small")
_DIMENSIONS = 16


def models(request: Request) -> Answer:
    """The list of models, in Anthropic's shape where its version header was sent."""
    data: list[dict[str, Any]]
    if request.header(b"anthropic-version"):
        stamp = "2025-10-09T08:53:20Z"
        data = [{"type": "model", "id": m, "display_name": m, "created_at": stamp} for m in _MODELS]
        return whole({"data": data, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]})
    data = [{"id": m, "object": "model", "created": CREATED, "owned_by": "standin"} for m in _MODELS]
    return whole({"object": "list", "data": data})


def embeddings(asked: Asked, turn: Turn) -> Answer:
    """A vector for each input, as numbers or in base64; there is no output to pay for."""
    given = (
        asked.input
        if isinstance(asked.input, list) and isinstance(next(iter(asked.input), None), str)
        else [asked.input]
    )
    size = min(asked.dimensions or _DIMENSIONS, 4096)
    data = [
        {"object": "embedding", "index": at, "embedding": _vector(text, size, asked.encoding_format)}
        for at, text in enumerate(given)
    ]
    counts = {"prompt_tokens": turn.input_tokens, "total_tokens": turn.input_tokens}
    body = {"object": "list", "data": data, "model": turn.model} | turn.usage("usage", counts)
    answer = whole(body)
    return Answer(answer.events, input_tokens=turn.input_tokens, headers=answer.headers)


def _vector(text: object, size: int, encoding: str) -> list[float] | str:
    dice = random.Random(repr(text))
    # Through single precision, so that both encodings carry the same numbers.
    packed = struct.pack(f"<{size}f", *(dice.uniform(-1, 1) for _ in range(size)))
    return base64.b64encode(packed).decode() if encoding == "base64" else list(struct.unpack(f"<{size}f", packed))


def upload(request: Request) -> Answer:
    """An upload's receipt: the size and SHA-256 of the request's whole body, multipart framing included."""
    receipt = {
        "id": f"file-{request.sha256[:24]}", "object": "file", "bytes": len(request.body), "sha256": request.sha256,
        "created_at": CREATED, "filename": "upload", "purpose": "user_data", "status": "processed",
    }  # fmt: skip
    return whole(receipt)
