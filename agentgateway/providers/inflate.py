"""Reading compressed answers for metering, at a bounded price.

Text of language models shrinks to a tenth at best, a decompression bomb to a thousandth. So an answer may grow to 64
times what came in, a megabyte ahead of it; beyond that it is given up, having cost no more than it delivered.
"""

import zlib
from typing import Protocol

import brotli  # type: ignore[import-untyped]

_AHEAD = 1024 * 1024
_RATIO = 64
_MOST = 128 * 1024 * 1024
_STEP = 64 * 1024


class Unreadable(Exception):
    """The answer is not what its encoding says, or grows beyond all measure."""


class _Decoder(Protocol):
    """One compressed text; `take` gives plain text in bounded steps and b"" when it wants more."""

    def take(self, data: bytes) -> bytes:
        """Some plain text, of `data` and of what was left before."""


class _Zlib:
    """gzip (several members too) and deflate (with and without the zlib header, which servers leave out)."""

    def __init__(self, gzip: bool) -> None:
        self._wbits = 16 + zlib.MAX_WBITS if gzip else zlib.MAX_WBITS
        self._inner = zlib.decompressobj(self._wbits)
        self._gzip = gzip
        self._begun = False
        self._left = b""

    def take(self, data: bytes) -> bytes:
        data = self._left + data
        if not self._begun and not self._gzip and data:
            if data[0] & 0x0F != 8:
                self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            self._begun = True
        plain = b""
        while data and not plain:
            plain = self._inner.decompress(data, _STEP)
            data = self._inner.unconsumed_tail
            if self._inner.eof:
                data = self._inner.unused_data if self._gzip else b""
                self._inner = zlib.decompressobj(self._wbits)
        self._left = data
        return plain


class _Brotli:
    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self._left = b""

    def take(self, data: bytes) -> bytes:
        self._left += data
        if not self._inner.can_accept_more_data():
            return bytes(self._inner.process(b"", output_buffer_limit=_STEP))
        data, self._left = self._left, b""
        return bytes(self._inner.process(data, output_buffer_limit=_STEP))


class Inflater:
    """Turns an encoded answer into plain text as it comes. `encoding`: the value of Content-Encoding."""

    __slots__ = ("_decoder", "_in", "_out")

    def __init__(self, encoding: str) -> None:
        """Raises Unreadable for an encoding that is not known here."""
        self._decoder = _decoder(encoding.strip().lower())
        self._in = 0
        self._out = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The plain text `data` stands for, in pieces. Raises Unreadable; feed nothing more after that."""
        self._in += len(data)
        allowed = min(_AHEAD + _RATIO * self._in, _MOST)
        pieces: list[bytes] = []
        try:
            while piece := self._decoder.take(data):
                data = b""
                pieces.append(piece)
                self._out += len(piece)
                if self._out > allowed:
                    raise Unreadable("grows beyond all measure")
        except (zlib.error, brotli.error) as problem:
            raise Unreadable(str(problem))
        return pieces


def _decoder(encoding: str) -> _Decoder:
    if encoding in ("gzip", "x-gzip"):
        return _Zlib(gzip=True)
    if encoding == "deflate":
        return _Zlib(gzip=False)
    if encoding == "br":
        return _Brotli()
    raise Unreadable(f"unknown encoding {encoding[:40]!r}")
