"""From what the provider means to say to what goes over the wire: framing, pacing, and whatever fault was asked for."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import repeat

import attrs
import brotli  # type: ignore[import-untyped]

from agentgateway.demo.exchange import Answer, End, Event, Reply, Step
from agentgateway.demo.knobs import Knobs

_REASONS = {200: b"OK", 302: b"Found", 400: b"Bad Request", 404: b"Not Found", 413: b"Content Too Large",
            429: b"Too Many Requests", 500: b"Internal Server Error", 529: b"Overloaded"}  # fmt: skip
_CUT_SHORT = frozenset({"reset-mid", "close-mid", "truncate", "stall-mid", "garbage-mid", "error-event"})
_UNFINISHED = {"reset-mid": End.RESET, "close-mid": End.CLOSE, "stall-mid": End.HOLD, "garbage-mid": End.CLOSE,
               "short-length": End.CLOSE}  # fmt: skip
_INTERIM = {
    "hundred-continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "interim-103": b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n",
}
_BEFORE_HEAD = {
    "stall": (b"", End.HOLD),
    "reset-before-head": (b"", End.RESET),
    "close-before-head": (b"", End.CLOSE),
    "garbage": (b"\x00\x16\xff this is no HTTP \xfe\r\n\r\n", End.CLOSE),
}
_FLUSH = 0.02
"""Seconds between the last bytes and a reset, which would otherwise overtake them."""
_DRIP = 0.0005
_MISSING = 100


def perform(answer: Answer, knobs: Knobs, bodiless: bool = False) -> Reply:
    """The reply to play. `bodiless` is for HEAD: the head of the answer alone."""
    if knobs.fault in _BEFORE_HEAD:
        data, end = _BEFORE_HEAD[knobs.fault]
        return Reply((Step(data, knobs.delay),), end)
    if knobs.fault == "redirect":
        location = (b"location", b"https://elsewhere.invalid/v1/moved")
        answer = Answer((Event(b""),), status=302, headers=(location,))
    events, headers = _shape(answer, knobs.fault)
    chunked = (answer.streamed and knobs.fault != "short-length") or knobs.fault in ("garbage-mid", "endless")
    headers += (_framing(answer, events, knobs.fault, chunked),)
    head = _INTERIM.get(knobs.fault, b"") + _head(answer.status, headers)
    steps = _steps(head, () if bodiless else _frames(events, knobs.fault, chunked), knobs)
    end = _UNFINISHED.get(knobs.fault, End.KEEP)
    return Reply(_paced(steps, knobs, end), end, answer.status, answer.input_tokens)


def too_large() -> Reply:
    """The answer to a body that nobody wants to read."""
    body = b'{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}'
    headers = (
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    )
    return Reply((Step(_head(413, headers) + body),), End.CLOSE, 413)


def _head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b"Status"))]
    lines += [b"%b: %b\r\n" % field for field in headers]
    return b"".join(lines) + b"\r\n"


def _shape(answer: Answer, fault: str) -> tuple[Iterable[Event], tuple[tuple[bytes, bytes], ...]]:
    """The events as the fault leaves them (an iterator where they never end), and the headers they need."""
    events = list(answer.events)
    if fault in _CUT_SHORT and (answer.streamed or fault != "error-event"):
        events = _first_half(events)
    if fault == "error-event" and answer.streamed:
        events.append(Event(answer.error_event))
    if fault in ("gzip", "br"):
        return _compressed(events, fault), (*answer.headers, (b"content-encoding", fault.encode()))
    if fault == "endless":
        return _for_ever(events), answer.headers
    if answer.streamed:
        events = [attrs.evolve(event, data=_reframed(event.data, fault, at == 0)) for at, event in enumerate(events)]
    return events, answer.headers


def _first_half(events: list[Event]) -> list[Event]:
    """A stream up to the middle of its pieces, or a body up to its middle."""
    if len(events) == 1:
        return [Event(events[0].data[: len(events[0].data) // 2], events[0].tokens // 2)]
    pieces = [at for at, event in enumerate(events) if event.paced]
    return events[: pieces[len(pieces) // 2] + (len(pieces) == 1)]


def _for_ever(events: list[Event]) -> Iterator[Event]:
    """All up to the last piece, which never stops coming; a body is followed by blanks."""
    pieces = [at for at, event in enumerate(events) if event.paced]
    if not pieces:
        yield from events
        yield from repeat(Event(b" " * 1024, paced=True))
    yield from events[: pieces[-1]]
    yield from repeat(events[pieces[-1]])


def _reframed(data: bytes, fault: str, first: bool) -> bytes:
    """An SSE event with other line ends, a byte order mark, or no blank line after it."""
    match fault:
        case "cr":
            return data.replace(b"\n", b"\r")
        case "crlf":
            return data.replace(b"\n", b"\r\n")
        case "bom":
            return b"\xef\xbb\xbf" + data if first else data
        case "no-blank-lines":
            return data[:-1]
    return data


def _compressed(events: list[Event], coding: str) -> list[Event]:
    """Each event flushed by itself, so that a stream stays one."""
    parts: list[bytes]
    if coding == "br":
        squeeze = brotli.Compressor()
        parts = [squeeze.process(event.data) + squeeze.flush() for event in events]
        parts[-1] += squeeze.finish()
    else:
        deflate = zlib.compressobj(wbits=31)
        parts = [deflate.compress(event.data) + deflate.flush(zlib.Z_SYNC_FLUSH) for event in events]
        parts[-1] += deflate.flush()
    return [attrs.evolve(event, data=part) for event, part in zip(events, parts, strict=True)]


def _framing(answer: Answer, events: Iterable[Event], fault: str, chunked: bool) -> tuple[bytes, bytes]:
    """The header that says where the body ends, true or not."""
    if chunked:
        return b"transfer-encoding", b"chunked"
    promised = answer.events if fault in _UNFINISHED else events
    length = sum(len(event.data) for event in promised) + (_MISSING if fault == "short-length" else 0)
    return b"content-length", b"%d" % length


def _frames(events: Iterable[Event], fault: str, chunked: bool) -> Iterator[Event]:
    """The body on the wire: one chunk an event where it is chunked."""
    if not chunked:
        yield from events
        return
    for event in events:
        data = b"%x\r\n%b\r\n" % (len(event.data), event.data)
        yield Event(data if event.data else b"", event.tokens, event.paced)
    if fault == "garbage-mid":
        yield Event(b"zz\r\nthis chunk has no size\r\n")
    elif fault not in _UNFINISHED:
        yield Event(b"0\r\n\r\n")


def _steps(head: bytes, frames: Iterable[Event], knobs: Knobs) -> Iterator[Step]:
    """Head and body, merged where nothing waits between them."""
    data, tokens, delay = [head], 0, knobs.delay
    for frame in frames:
        if frame.paced and (knobs.interval or knobs.fault == "endless"):
            yield Step(b"".join(data), delay, tokens)
            data, tokens, delay = [], 0, knobs.interval
        data.append(frame.data)
        tokens += frame.tokens
    yield Step(b"".join(data), delay, tokens)


def _paced(steps: Iterator[Step], knobs: Knobs, end: End) -> Iterable[Step]:
    """The steps as they are played: kept as a tuple, except those without end and single drops."""
    if knobs.fault == "endless":
        return steps
    if knobs.fault == "drip":
        return _dripped(steps, knobs.interval or _DRIP)
    return (*steps, Step(b"", _FLUSH)) if end is End.RESET else tuple(steps)


def _dripped(steps: Iterator[Step], interval: float) -> Iterator[Step]:
    """One byte a step; a step's tokens come with its last byte."""
    for step in steps:
        for at in range(len(step.data)):
            yield Step(step.data[at : at + 1], interval, step.tokens if at == len(step.data) - 1 else 0)
