"""Header lists that stay lists: (name, value) pairs as they came, as a twisted.web `Headers` when asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twisted.web.http_headers import Headers

Field = tuple[bytes, bytes]


class RawHeaders(Headers):
    """`Headers` over a list of (name, value) pairs, order and letter case kept.

    The pairs are what a proxy passes on; the index that `Headers` works with (6 us to build for 18 fields) is made
    only when somebody calls a method beyond `getRawHeaders` and `hasHeader`. From then on the index is what counts, and
    `pairs` is made from it.
    """

    __slots__ = ("_block", "_fields", "_index", "_lowered", "derived")

    def __init__(self, fields: Sequence[Field] = (), lowered: Mapping[bytes, bytes] | None = None) -> None:
        """`lowered` is what the property of that name gives, where somebody has it already."""
        self._fields: Sequence[Field] | None = fields
        self._index: dict[bytes, list[bytes]] | None = None
        self._lowered = lowered
        self._block: bytes | None = None
        self.derived: dict[object, Any] | None = None
        """What readers made of the fields, by whose it is, where the same head is expected again: they may keep it here."""

    @property
    def lowered(self) -> Mapping[bytes, bytes]:
        """Lower-case name to (last) value, as the message came: one look-up for those who want one field."""
        if self._lowered is None:
            self._lowered = lowered(self.pairs())
        return self._lowered

    @property
    def _rawHeaders(self) -> dict[bytes, list[bytes]]:  # type: ignore[override]
        self._block = None  # whoever asks may go on to change it
        if self._index is None:
            full = Headers()
            for name, value in self._fields or ():
                full.addRawHeader(name, value)
            self._index, self._fields = full._rawHeaders, None
        return self._index

    @property
    def block(self) -> bytes:
        """All fields as lines, made once: for fields that are not changed any more. Raises ValueError as `lines` does."""
        if self._block is None:
            self._block = lines(self.pairs())
        return self._block

    def pairs(self) -> Sequence[Field]:
        """All fields as (name, value) pairs, in order."""
        if self._fields is not None:
            return self._fields
        return [(name, value) for name, values in self._rawHeaders.items() for value in values]

    def getRawHeaders(self, name: Any, default: Any = None) -> Any:
        """As `Headers.getRawHeaders`; over an unindexed list, one pass without building anything."""
        if self._fields is None or isinstance(name, str):
            return Headers.getRawHeaders(self, name, default)
        wanted = name.lower()
        return [value for key, value in self._fields if key.lower() == wanted] or default

    def hasHeader(self, name: Any) -> bool:
        """As `Headers.hasHeader`."""
        return self.getRawHeaders(name) is not None

    def copy(self) -> "RawHeaders":
        """An independent copy."""
        return RawHeaders(list(self.pairs()))

    def getAllRawHeaders(self) -> Iterator[tuple[bytes, Sequence[bytes]]]:
        """As `Headers.getAllRawHeaders`: canonical names, each with all its values."""
        return iter(self._rawHeaders.items())


def lowered(fields: Sequence[Field]) -> dict[bytes, bytes]:
    """Lower-case name to (last) value; shorter than `fields` where a name is repeated."""
    return {name.lower(): value for name, value in fields}


def raw(headers: Headers) -> RawHeaders:
    """Any `Headers` as `RawHeaders`."""
    return headers if isinstance(headers, RawHeaders) else RawHeaders(pairs_of(headers))


def pairs_of(headers: Headers | None) -> Sequence[Field]:
    """The (name, value) pairs of any `Headers`, cheap where they are a `RawHeaders`."""
    if headers is None:
        return ()
    if isinstance(headers, RawHeaders):
        return headers.pairs()
    return [(name, value) for name, values in headers.getAllRawHeaders() for value in values]


def lines(fields: Sequence[Field]) -> bytes:
    """Fields as lines, each with its end. Raises ValueError on a line break in a field."""
    block = b"\r\n".join([*map(b": ".join, fields), b""])
    breaks = len(fields)
    if block.count(b"\n") != breaks or block.count(b"\r") != breaks:
        raise ValueError("a header field with a line break in it")
    return block


def serialise(first: bytes, fields: Sequence[Field]) -> bytes:
    """A message head: the first line, the fields and the empty line. Raises ValueError on a line break within one."""
    if b"\n" in first or b"\r" in first:
        raise ValueError("a first line with a line break in it")
    return b"%b\r\n%b\r\n" % (first, lines(fields))
