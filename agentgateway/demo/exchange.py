"""The values between the stand-in's parts: a request as it came, an answer as meant, a reply as sent."""

import enum
import hashlib
from collections.abc import Iterable
from functools import cached_property

import attrs


@attrs.define
class Request:
    """One request, its body read whole. Header names are lower-case; `target` is path and query as they came."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    def header(self, name: bytes) -> bytes | None:
        """The first header called `name` (lower-case)."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def sha256(self) -> str:
        """Of the body, in hexadecimal digits."""
        return hashlib.sha256(self.body).hexdigest()


@attrs.frozen
class Event:
    """A piece of an answer: a whole SSE event, or a whole body. Paced ones wait for the interval asked."""

    data: bytes
    tokens: int = 0
    paced: bool = False


@attrs.frozen(slots=False)
class Answer:
    """What the provider means to say, before any fault. A whole answer is one event; a stream is many."""

    events: tuple[Event, ...]
    status: int = 200
    streamed: bool = False
    input_tokens: int = 0
    error_event: bytes = b""
    """How this dialect reports an error in the middle of a stream."""
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @cached_property
    def output_tokens(self) -> int:
        """Tokens all events together carry."""
        return sum(event.tokens for event in self.events)


class End(enum.Enum):
    """What becomes of the connection after the last step."""

    KEEP = "kept for the next request"
    CLOSE = "closed"
    RESET = "reset"
    HOLD = "left open and silent"


@attrs.frozen
class Step:
    """Bytes for the wire, after `delay` seconds; `tokens` of output have been served once they are written."""

    data: bytes
    delay: float = 0.0
    tokens: int = 0


@attrs.frozen
class Reply:
    """Steps in order, then the end. A tuple of steps may be played again; an iterator only once."""

    steps: Iterable[Step]
    end: End = End.KEEP
    status: int = 0
    input_tokens: int = 0
