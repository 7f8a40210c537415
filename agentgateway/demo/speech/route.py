"""Which answer a request gets: by the end of its path, whatever prefix stands before it."""

import urllib.parse

import msgspec

from agentgateway.demo.exchange import Answer, Event, Request
from agentgateway.demo.knobs import BadKnob, Knobs, read_knobs
from agentgateway.demo.speech import anthropic, chat, google, plain, responses
from agentgateway.demo.speech.framing import Dialect, refusal
from agentgateway.demo.turn import Asked, Turn, take_turn

_decode = msgspec.json.Decoder(Asked).decode


def answer(request: Request) -> tuple[Answer, Knobs]:
    """What the provider says to a request, and the knobs that came with it."""
    dialect = dialect_of(request)
    try:
        asked = _decode(request.body) if _is_json(request) else Asked()
        knobs, model = read_knobs(request.headers, asked.model or _named_in(request.path))
    except (msgspec.MsgspecError, BadKnob) as error:
        return refusal(dialect, 400, str(error)), Knobs()
    if knobs.status:
        return refusal(dialect, knobs.status, f"The stand-in was asked for a {knobs.status}."), knobs
    return _spoken(request, asked, model, knobs) or refusal(dialect, *_missing(request, model)), knobs


def dialect_of(request: Request) -> Dialect:
    """The dialect a caller of this path expects."""
    if b":" in request.path.rpartition(b"/")[2]:
        return "google"
    return "anthropic" if b"/messages" in request.path or request.header(b"anthropic-version") else "openai"


def _missing(request: Request, model: str) -> tuple[int, str]:
    path = request.path.decode("latin-1")
    return (404, f"no such path: {path}") if model else (400, f"{path}: no model is named, or nothing answers there")


def _is_json(request: Request) -> bool:
    return bool(request.body) and not (request.header(b"content-type") or b"").startswith(b"multipart/")


def _named_in(path: bytes) -> str:
    """The model in a path of Google's: `.../models/NAME:verb`."""
    return urllib.parse.unquote(path.rpartition(b"/")[2].decode("latin-1")).rpartition(":")[0]


def _spoken(request: Request, asked: Asked, model: str, knobs: Knobs) -> Answer | None:
    """The answer of the endpoint, or None where there is none."""
    path = request.path
    if request.method == b"HEAD" or path == b"/":
        return Answer((Event(b""),))
    if path.endswith(b"/models"):
        return plain.models(request)
    if path.endswith(b"/files") and request.method == b"POST":
        return plain.upload(request)
    if request.method != b"POST" or not model:
        return None
    return _converse(path, asked, take_turn(asked, model, request.body, knobs))


def _converse(path: bytes, asked: Asked, turn: Turn) -> Answer | None:
    """The endpoints that take a turn."""
    match path.rpartition(b"/")[2].rpartition(b":")[2]:
        case b"messages":
            return anthropic.speak(turn, asked.stream)
        case b"count_tokens":
            return anthropic.count_tokens(turn)
        case b"completions":
            return chat.speak(turn, asked.stream)
        case b"responses":
            return responses.speak(turn, asked.stream)
        case b"embeddings":
            return plain.embeddings(asked, turn)
        case b"generateContent" | b"streamGenerateContent" as verb:
            return google.speak(turn, verb.startswith(b"stream"))
        case b"countTokens":
            return google.count_tokens(turn)
    return None
