"""Watching an answer go by: what it says of its usage, and what to charge when it does not say.

A meter takes part in nothing: the caller gets the bytes as they came, compressed ones too, but for the one chunk that
only came because the gateway asked for it. It never raises and never keeps more than a few megabytes.
"""

from typing import Literal

import msgspec

from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import Asked, Reading, Surface
from agentgateway.providers.inflate import Inflater, Unreadable
from agentgateway.providers.sse import HEAD, LIMIT, TAIL, Events, Stripper

Certainty = Literal["exact", "estimated", "none"]

CHARS_PER_TOKEN = 4
"""Characters sent that are charged as a token of output where the provider has not said how many there were."""
USUAL_OUTPUT = 1024
"""Output tokens a call is taken for of which nothing is known."""


class Meter:
    """The meter of one answer, from its first byte to its last.

    `stream`: the answer is `text/event-stream`; anything else is read as a whole, lines of JSON and JSON arrays too.
    `encoding`: its Content-Encoding, "" for none. `strip_usage`: take out the chunk that holds nothing but usage.
    """

    __slots__ = ("_body", "_events", "_inflater", "_size", "_stripper", "_surface", "_torn", "reading")

    def __init__(self, surface: Surface, stream: bool, encoding: str, strip_usage: bool) -> None:
        self.reading = Reading(terminal=not (stream and surface.ends), owed=surface.billable and surface.owed)
        self._surface = surface
        self._events = Events() if stream and surface.billable else None
        self._body: list[bytes] = []
        self._size = 0
        self._torn = b""
        self._inflater: Inflater | None = None
        plain = encoding in ("", "identity")
        self._stripper = Stripper(surface.is_usage_only) if strip_usage and stream and plain else None
        if not plain and surface.billable:
            try:
                self._inflater = Inflater(encoding)
            except Unreadable:
                self._give_up()

    @property
    def inside_event(self) -> bool:
        """Whether the caller has got the beginning of an event whose end has not come."""
        return self._events is not None and self._events.inside

    def feed(self, data: bytes) -> bytes:
        """Learn from `data` and say what goes on to the caller."""
        reading = self.reading
        if reading.blind:
            reading.sent_chars += len(data)
        elif self._inflater is not None:
            self._feed_compressed(self._inflater, data)
        elif self._events is not None:
            for event in self._events.feed(data):
                self._surface.read_event(event, reading)
        elif self._surface.billable:
            self._keep(data)
        return data if self._stripper is None else self._stripper.feed(data)

    def whole(self, data: bytes) -> bytes:
        """Learn from an answer that is all there, and say what goes to the caller: `feed` and `end` in one."""
        plain = self._events is None and self._inflater is None and self._stripper is None
        if not plain or len(data) > LIMIT or self.reading.blind:
            return self.feed(data) + self.end()
        if data and self._surface.billable:
            self._surface.read_whole(data, self.reading)
        self.reading.final = True
        return data

    def end(self) -> bytes:
        """The answer is over, however it came to that: close the reading, and say what was held back."""
        reading = self.reading
        if reading.blind:
            pass
        elif self._events is not None:
            for event in self._events.end():
                self._surface.read_event(event, reading)
        elif self._size:
            body = self._torn + b"".join(self._body)
            self._body.clear()
            self._surface.read_whole(body, reading)
        reading.final = True
        return b"" if self._stripper is None else self._stripper.end()

    def _keep(self, data: bytes) -> None:
        """Add to a whole body, of which no more than its head and tail are kept once it is too long."""
        self._body.append(data)
        self._size += len(data)
        if self._size > LIMIT:
            body = b"".join(self._body)
            self._torn = self._torn or body[:HEAD]
            self._body = [body[-TAIL:]]
            self._size = TAIL

    def _feed_compressed(self, inflater: Inflater, data: bytes) -> None:
        try:
            for piece in inflater.feed(data):
                if self._events is None:
                    self._keep(piece)
                    continue
                for event in self._events.feed(piece):
                    self._surface.read_event(event, self.reading)
        except Unreadable:
            self._give_up()
            self.reading.sent_chars += len(data)

    def _give_up(self) -> None:
        """From here on only bytes are counted; whether the answer ended as it should nobody can tell."""
        self._inflater = None
        self._body.clear()
        self.reading.blind = True
        self.reading.terminal = True


def settle(reading: Reading, asked: Asked, request_body_len: int, complete: bool) -> tuple[Usage, Certainty]:
    """What to charge for a 2xx answer, and how sure that is: "exact", "estimated" or "none" (nothing to charge).

    Exact is what the provider said about an answer that came to its end. Everything else that is owed is estimated: the
    input in full, as said or a token for every four bytes of the request; the output as counted so far and at least a
    token for every four characters sent. Of an answer that could not be read only bytes are known, so there the output
    is no more than the request allowed. An answer that is made later is taken for as long as was asked for.
    """
    usage = reading.usage
    if complete and reading.sure:
        return usage, "exact"
    if not usage.total and (not reading.owed or (reading.failed and not reading.sent_chars)):
        return Usage(), "none"
    sent = -(-reading.sent_chars // CHARS_PER_TOKEN)
    if reading.later:
        sent = max(sent, USUAL_OUTPUT if asked.max_output is None else asked.max_output)
    if reading.blind and asked.max_output is not None:
        sent = min(sent, asked.max_output)
    usage = msgspec.structs.replace(usage, output=max(usage.output, sent))
    if not usage.total_input:
        usage.input = usage.reported_input = -(-request_body_len // CHARS_PER_TOKEN)
    return usage, "estimated"
