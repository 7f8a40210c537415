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


def _around(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """The head that `data` begins with: what is before its length, that, and what is behind; None where it is not short."""
    end = data.find(b"\r\n\r\n", 0, LONGEST)
    found = _LENGTH.search(data, 0, end + 2) if end >= 0 else None
    return None if found is None else (data[: found.start(1)], found[1], data[found.end(1) : end + 4])


class Heads:
    """The heads of one server, by their bytes: connections of one agent share what is kept of them."""

    def __init__(self) -> None:
        self._heads: dict[tuple[bytes, bytes], Head] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, data: bytes) -> Head | None:
        """The head that `data` begins with, if it is one of these."""
        found = _around(data)
        return None if found is None else self._heads.get((found[0], found[2]))

    def learn(self, data: bytes, method: bytes, uri: bytes, headers: RawHeaders) -> Head | None:
        """Remember the head of the request that `data` is, which was found to be in order; None: it is not of that kind."""
        if not data.startswith(method + b" ") or len(headers.pairs()) > MOST_FIELDS:
            return None
        found = _around(data)
        if found is None or headers.lowered.get(b"content-length") != found[1]:
            return None
        key = found[0], found[2]
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
