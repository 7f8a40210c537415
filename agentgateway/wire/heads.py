"""Heads that come again: an SDK sends the same fields with each of its calls, and only the length of the body differs.

What was parsed and checked once needs neither again: the same bytes before and behind the digits of Content-Length are
the same head. A request that begins with a remembered one never goes through llhttp, and what others made of its fields
(`RawHeaders.derived`) holds for it, too.
"""

import re
from typing import Final

import attrs

from agentgateway.wire.headers import RawHeaders, lowered

LONGEST: Final = 4_096
"""Bytes of a head above which it is not remembered."""
MOST_FIELDS: Final = 64
"""Fields above which it is not."""
KEPT: Final = 256
"""Heads that a server remembers; the one that came first is forgotten for one more."""
PATIENCE: Final = 4
"""Heads that a connection has remembered in vain; then it is one whose heads differ, and no more are."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,8})\r\n", re.IGNORECASE)


@attrs.define(eq=False)
class Head:
    """One head, HTTP/1.1, that keeps its connection and asks for nothing unusual; `headers` leave Content-Length out."""

    method: bytes
    uri: bytes
    headers: RawHeaders
    _before: bytes
    _behind: bytes
    _forgotten: bool = False

    def begins(self, data: bytes) -> tuple[int, int] | None:
        """The declared length of the body, and where it begins, of a request that begins with this head; else None."""
        before = self._before
        if self._forgotten or not data.startswith(before):
            return None
        start = len(before)
        end = data.find(b"\r", start, start + 9)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self._behind, end):
            return None
        return int(digits), end + len(self._behind)

    def forget(self) -> None:
        """Keep nothing of it: callers' keys stand in heads."""
        self._forgotten = True
        self.uri = self._before = self._behind = b""
        self.headers = RawHeaders()


def _without_length(headers: RawHeaders) -> RawHeaders:
    fields = [field for field in headers.pairs() if field[0].lower() != b"content-length"]
    kept = RawHeaders(fields, lowered(fields))
    kept.derived = {}
    return kept


def _length(data: bytes) -> re.Match[bytes] | None:
    """Where the head that `data` begins with says the body's length; None where it is too long, or says none."""
    end = data.find(b"\r\n\r\n", 0, LONGEST) + 2
    return _LENGTH.search(data, 0, end) if end > 2 else None


def _key(data: bytes, length: re.Match[bytes]) -> tuple[bytes, bytes]:
    return data[: length.start(1)], data[length.end(1) : data.find(b"\r\n\r\n") + 4]


class Heads:
    """The heads of one server, by their bytes: connections of one agent share what is kept of them."""

    def __init__(self) -> None:
        self._heads: dict[tuple[bytes, bytes], Head] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, data: bytes) -> Head | None:
        """The head that `data` begins with, if it is one of these."""
        found = _length(data)
        return None if found is None else self._heads.get(_key(data, found))

    def learn(self, data: bytes, method: bytes, uri: bytes, headers: RawHeaders) -> Head | None:
        """Remember the head of the request that `data` is, which was found to be in order; None: it is not of that kind."""
        if not data.startswith(method + b" ") or len(headers.pairs()) > MOST_FIELDS:
            return None
        found = _length(data)
        if found is None or headers.lowered.get(b"content-length") != found[1]:
            return None
        key = _key(data, found)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= KEPT:
                self._heads.pop(next(iter(self._heads))).forget()
            head = self._heads[key] = Head(method, uri, _without_length(headers), *key)
        return head

    def clear(self) -> None:
        """Forget them all."""
        while self._heads:
            self._heads.popitem()[1].forget()
