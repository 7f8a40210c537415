"""Header lists that stay lists."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from agentgateway.wire.headers import RawHeaders, pairs_of, serialise

PAIRS = [(b"X-b", b"1"), (b"a", b"2"), (b"x-B", b"3")]


class RawHeadersTests(SynchronousTestCase):
    """A twisted.web Headers that keeps what it was given."""

    def test_pairs_as_they_came(self) -> None:
        """Order, letter case and repetition are kept, also when somebody looks a field up."""
        headers = RawHeaders(PAIRS)
        self.assertEqual(headers.getRawHeaders(b"x-b"), [b"1", b"3"])
        self.assertTrue(headers.hasHeader(b"A"))
        self.assertFalse(headers.hasHeader(b"nothing"))
        self.assertEqual(headers.pairs(), PAIRS)

    def test_absent(self) -> None:
        """A field that is not there is the default."""
        self.assertIsNone(RawHeaders(PAIRS).getRawHeaders(b"z"))
        self.assertEqual(RawHeaders(PAIRS).getRawHeaders(b"z", [b"d"]), [b"d"])

    def test_changed(self) -> None:
        """After a change the index is what counts."""
        headers = RawHeaders(PAIRS)
        headers.setRawHeaders(b"a", [b"9"])
        headers.removeHeader(b"x-b")
        headers.addRawHeader(b"C", b"4")
        self.assertEqual(sorted(headers.pairs()), [(b"A", b"9"), (b"C", b"4")])
        self.assertEqual(headers.getRawHeaders("a"), ["9"])

    def test_lines_of_what_was_changed(self) -> None:
        """The lines are those of the fields as they are now, also where they were asked for before."""
        headers = RawHeaders(PAIRS)
        self.assertEqual(headers.block, b"X-b: 1\r\na: 2\r\nx-B: 3\r\n")
        headers.setRawHeaders(b"a", [b"9"])
        self.assertIn(b"A: 9\r\n", headers.block)
        headers.removeHeader(b"a")
        self.assertEqual(headers.block, b"X-B: 1\r\nX-B: 3\r\n")

    def test_a_copy_is_independent(self) -> None:
        """Changing a copy leaves the original alone."""
        headers = RawHeaders(PAIRS)
        headers.copy().removeHeader(b"a")
        self.assertTrue(headers.hasHeader(b"a"))

    def test_each_is_its_own(self) -> None:
        """Two empty ones share nothing."""
        RawHeaders().setRawHeaders(b"a", [b"1"])
        self.assertEqual(list(RawHeaders().getAllRawHeaders()), [])

    def test_pairs_of_any_kind(self) -> None:
        """Stock Headers, none at all and ours give pairs."""
        self.assertEqual(pairs_of(Headers({b"a": [b"1", b"2"]})), [(b"A", b"1"), (b"A", b"2")])
        self.assertEqual(pairs_of(None), ())
        self.assertEqual(pairs_of(RawHeaders(PAIRS)), PAIRS)


class SerialiseTests(SynchronousTestCase):
    """A message head as bytes."""

    def test_lines(self) -> None:
        """First line, fields, empty line."""
        self.assertEqual(serialise(b"GET / HTTP/1.1", [(b"a", b"b")]), b"GET / HTTP/1.1\r\na: b\r\n\r\n")
        self.assertEqual(serialise(b"HTTP/1.1 200 OK", []), b"HTTP/1.1 200 OK\r\n\r\n")

    @given(st.binary(max_size=6), st.sampled_from([b"\r", b"\n", b"\r\n"]), st.binary(max_size=6))
    def test_no_second_line_in_a_field(self, before: bytes, line_break: bytes, after: bytes) -> None:
        """A value with a line break in it, which would begin another field, is never sent."""
        self.assertRaises(ValueError, serialise, b"GET / HTTP/1.1", [(b"a", before + line_break + after)])
