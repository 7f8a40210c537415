"""Tests of reading compressed answers."""

import gzip
import zlib

import brotli
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.inflate import Inflater, Unreadable

PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


class Inflating(SynchronousTestCase):
    """From compressed to plain."""

    @given(st.binary(max_size=3000), st.sampled_from(sorted(PACKED)), st.integers(1, 50))
    def test_in_pieces(self, plain: bytes, encoding: str, size: int) -> None:
        """However a compressed text is cut, the plain text comes out."""
        packed = PACKED[encoding](plain)
        inflater = Inflater(f" {encoding.upper()} ")
        pieces = [piece for at in range(0, len(packed), size) for piece in inflater.feed(packed[at : at + size])]
        self.assertEqual(b"".join(pieces), plain)

    def test_longer_texts(self) -> None:
        """A text longer than a step comes out whole, in bounded pieces."""
        plain = b"".join(b"%d," % number for number in range(200_000))
        for encoding, pack in PACKED.items():
            pieces = Inflater(encoding).feed(pack(plain))
            self.assertEqual(b"".join(pieces), plain)
            self.assertLessEqual(max(map(len, pieces)), 3 * 65_536)

    def test_bombs(self) -> None:
        """A text that grows a thousandfold is given up soon after it began."""
        for encoding, pack in PACKED.items():
            packed = pack(b"\0" * 50_000_000)
            inflater = Inflater(encoding)
            self.assertRaises(Unreadable, inflater.feed, packed)
            self.assertLess(inflater._out, 3_000_000 + 64 * len(packed))

    def test_what_is_not_compressed(self) -> None:
        """Bytes that are not what they are said to be, and unknown encodings, are unreadable."""
        for encoding in PACKED:
            self.assertRaises(Unreadable, Inflater(encoding).feed, b"\xff\xfe\xfd plain text")
        for encoding in ("zstd", "gzip, br", "compress", "x" * 9999):
            self.assertRaises(Unreadable, Inflater, encoding)
