"""Server-sent events, taken apart for metering and with single events taken out, whatever the network cuts.

The rules are those of the WHATWG HTML standard, section 9.2.6: lines end in LF, CR LF or CR, a byte order mark may come
first, a blank line ends an event, the data lines of an event are joined by LF, comments and other fields are skipped.
An event that the stream's end cuts off is handed out too: it may hold usage.
"""

import re
from collections.abc import Callable

LIMIT = 4 * 1024 * 1024
"""Bytes of one event beyond which only its head and tail are kept."""
HEAD = 4 * 1024
TAIL = 256 * 1024

_BOM = b"\xef\xbb\xbf"
_HELD = 64 * 1024
_BLANK_LINE = re.compile(rb"\r\n(?:\r\n?|\n)|\n(?:\r\n?|\n)|\r\r\n?")
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class Events:
    """Splits a stream into the data of its events; any cut of a text gives the same events."""

    __slots__ = ("_after_cr", "_carry", "_first", "_head")

    def __init__(self) -> None:
        self._carry = bytearray()
        self._head = b""
        self._first = True
        self._after_cr = False

    @property
    def inside(self) -> bool:
        """Whether the stream stands in the middle of an event."""
        return bool(self._carry) and bool(self._carry.strip(b"\r\n"))

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes."""
        if not self._carry and not self._after_cr and data.endswith(b"\n\n") and b"\r" not in data:
            if not self._first and len(data) <= LIMIT and data.find(b"\n\n") == len(data) - 2:  # one, as mostly
                one = event_data(data[:-2])
                return [] if one is None else [one]
            return self._events(data[:-2].split(b"\n\n"))
        return self._feed_piecemeal(data)

    def end(self) -> list[bytes]:
        """The data of the event the stream's end cut off, if it has any."""
        block = bytes(self._carry).rstrip(b"\n")
        self._carry.clear()
        return self._events([block]) if block else []

    def _feed_piecemeal(self, data: bytes) -> list[bytes]:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        carry = self._carry
        seen = max(0, len(carry) - 1)
        carry += data
        last = carry.rfind(b"\n\n", seen)
        if last < 0:
            self._shorten()
            return []
        blocks = bytes(carry[:last]).split(b"\n\n")
        del carry[: last + 2]
        return self._events(blocks)

    def _shorten(self) -> None:
        """Keep the memory of an event without end in bounds."""
        if len(self._carry) > LIMIT:
            self._head = self._head or bytes(self._carry[:HEAD])
            del self._carry[:-TAIL]

    def _events(self, blocks: list[bytes]) -> list[bytes]:
        if self._first and blocks[0].startswith(_BOM):
            blocks[0] = blocks[0][len(_BOM) :]
        self._first = False
        if not self._head and len(blocks[0]) <= LIMIT:
            return [data for block in blocks if (data := event_data(block)) is not None]
        torn = (self._head or blocks[0][:HEAD]) + blocks[0][-TAIL:]
        self._head = b""
        return [torn, *self._events(blocks[1:])] if len(blocks) > 1 else [torn]


def event_data(block: bytes) -> bytes | None:
    """The data of one event, its lines ended by LF; None where it has none, which makes it no event."""
    at = block.find(b"data:")
    if (at == 0 or (block[:6] == b"event:" and block.find(b"\n") == at - 1)) and block.find(b"\n", at) < 0:
        return block[at + 6 :] if block[at + 5 : at + 6] == b" " else block[at + 5 :]
    lines = [line for line in block.split(b"\n") if line[:5] == b"data:" or line == b"data"]
    return b"\n".join([line[5:].removeprefix(b" ") for line in lines]) if lines else None


def whole_events(data: bytes) -> bytes:
    """`data` up to and with its last blank line: without the event whose end has not come."""
    end = max(data.rfind(blank) + len(blank) if blank in data else 0 for blank in (b"\n\n", b"\r\n\r\n", b"\r\r"))
    return data[:end]


class Stripper:
    """Takes the events out for which `unwanted` holds, and passes every other byte on as it came.

    Holds back one incomplete event at most; one that grows over 64 KB is passed on.
    """

    __slots__ = ("_held", "_split", "_unwanted")

    def __init__(self, unwanted: Callable[[bytes], bool]) -> None:
        self._unwanted = unwanted
        self._held = b""
        self._split: bytes | None = None
        """After an event that ended in CR: what becomes of a LF that comes next and belongs to the same line end."""

    def feed(self, data: bytes) -> bytes:
        """What may go on, now that `data` has come."""
        if not self._held and self._split is None and data.endswith(b"\n\n") and _NO_CHOICES.search(data) is None:
            return data
        ahead = b""
        if self._split is not None and data:
            if data.startswith(b"\n"):
                ahead, data = self._split, data[1:]
            self._split = None
        return ahead + self._sort(self._held + data)

    def end(self) -> bytes:
        """The rest that was held back."""
        held, self._held = self._held, b""
        return b"" if self._drops(held) else held

    def _sort(self, text: bytes) -> bytes:
        kept: list[bytes] = []
        start = 0
        for blank in _BLANK_LINE.finditer(text):
            event = text[start : blank.end()]
            start = blank.end()
            dropped = self._drops(event)
            if not dropped:
                kept.append(event)
            if start == len(text) and event.endswith(b"\r"):
                self._split = b"" if dropped else b"\n"
        rest = text[start:]
        if len(rest) > _HELD:
            kept.append(rest)
            rest = b""
        self._held = rest
        return b"".join(kept)

    def _drops(self, event: bytes) -> bool:
        if _NO_CHOICES.search(event) is None:
            return False
        plain = event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(_BOM)
        data = event_data(plain.strip(b"\n"))
        return data is not None and self._unwanted(data)
