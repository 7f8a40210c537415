"""Tests of framing, pacing and faults, on the bytes that go out."""

import zlib

import brotli
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.exchange import Answer, End, Event
from agentgateway.demo.faults import perform, too_large
from agentgateway.demo.knobs import Knobs

STREAM = Answer(
    (Event(b"data: start\n\n"), *(Event(b"data: %d\n\n" % n, 1, True) for n in range(4)), Event(b"data: stop\n\n")),
    streamed=True,
    input_tokens=9,
    error_event=b"data: error\n\n",
)
WHOLE = Answer((Event(b'{"text": "hello"}', 4),))


def play(answer, **knobs):
    """The bytes of all steps, and the end."""
    reply = perform(answer, Knobs(**knobs))
    return b"".join(step.data for step in reply.steps), reply.end


def unchunk(data):
    """The body of a chunked message."""
    body, rest = b"", data.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


class FramingTests(SynchronousTestCase):
    """Answers without a fault."""

    def test_whole(self):
        """A whole answer has its length in its head and keeps the connection."""
        data, end = play(WHOLE)
        self.assertTrue(data.endswith(b'content-length: 17\r\n\r\n{"text": "hello"}'))
        self.assertIs(end, End.KEEP)

    def test_stream(self):
        """A stream has a chunk for each event and a last one of no size."""
        data, _ = play(STREAM)
        self.assertEqual(unchunk(data), b"".join(event.data for event in STREAM.events))
        self.assertTrue(data.endswith(b"0\r\n\r\n"))

    def test_pace(self):
        """Head and opening leave together; each piece waits its interval; the end follows the last piece at once."""
        reply = perform(STREAM, Knobs(interval=0.5, delay=2.0))
        self.assertEqual([step.delay for step in reply.steps], [2.0, 0.5, 0.5, 0.5, 0.5])
        self.assertEqual([step.tokens for step in reply.steps], [0, 1, 1, 1, 1])

    def test_head_only(self):
        """HEAD gets the head alone."""
        self.assertTrue(perform(WHOLE, Knobs(), bodiless=True).steps[0].data.endswith(b"content-length: 17\r\n\r\n"))


class FaultTests(SynchronousTestCase):
    """Faults as they go over the wire."""

    def test_before_the_head(self):
        """Before the head: silence, a reset, a close, or bytes that are no HTTP."""
        for fault, end in (("stall", End.HOLD), ("reset-before-head", End.RESET), ("close-before-head", End.CLOSE)):
            self.assertEqual(play(WHOLE, fault=fault), (b"", end))
        self.assertFalse(play(WHOLE, fault="garbage")[0].startswith(b"HTTP"))

    def test_mid_stream(self):
        """In the middle: half the pieces, no terminal event, no last chunk, and the end that was asked."""
        for fault, end in (("reset-mid", End.RESET), ("close-mid", End.CLOSE), ("stall-mid", End.HOLD)):
            data, ended = play(STREAM, fault=fault)
            self.assertEqual(
                (b"data: 1\n" in data, b"data: 2\n" in data, b"stop" in data, ended), (True, False, False, end)
            )
            self.assertFalse(data.endswith(b"0\r\n\r\n"))

    def test_mid_body(self):
        """A whole answer cut in the middle promised more than came."""
        data, _ = play(WHOLE, fault="close-mid")
        self.assertTrue(data.endswith(b'content-length: 17\r\n\r\n{"text":'))

    def test_truncate(self):
        """A truncated stream ends as HTTP should, but without its terminal event."""
        data, end = play(STREAM, fault="truncate")
        self.assertEqual((b"stop" in unchunk(data), data[-5:], end), (False, b"0\r\n\r\n", End.KEEP))

    def test_error_event(self):
        """An error event comes in the middle of the stream, as the dialect has it; a whole answer stays whole."""
        self.assertTrue(unchunk(play(STREAM, fault="error-event")[0]).endswith(b"data: 1\n\ndata: error\n\n"))
        self.assertEqual(play(WHOLE, fault="error-event"), play(WHOLE))

    def test_wrong_framing(self):
        """A length too large, and a chunk whose size is no number."""
        data, end = play(WHOLE, fault="short-length")
        self.assertEqual((b"content-length: 117\r\n" in data, end), (True, End.CLOSE))
        self.assertIn(b"zz\r\n", play(WHOLE, fault="garbage-mid")[0])

    def test_event_framing(self):
        """Server-sent events may come with other line ends, a byte order mark, or without blank lines."""
        plain = b"".join(event.data for event in STREAM.events)
        for fault, expected in (
            ("cr", plain.replace(b"\n", b"\r")),
            ("crlf", plain.replace(b"\n", b"\r\n")),
            ("bom", b"\xef\xbb\xbf" + plain),
            ("no-blank-lines", plain.replace(b"\n\n", b"\n")),
        ):
            self.assertEqual(unchunk(play(STREAM, fault=fault)[0]), expected)

    def test_compressed(self):
        """Compressed answers say so and hold the same bytes."""
        plain = b"".join(event.data for event in STREAM.events)
        zipped, squeezed = play(STREAM, fault="gzip")[0], play(STREAM, fault="br")[0]
        self.assertIn(b"content-encoding: gzip\r\n", zipped)
        self.assertEqual(zlib.decompress(unchunk(zipped), wbits=31), plain)
        self.assertEqual(brotli.decompress(unchunk(squeezed)), plain)

    def test_drip(self):
        """A dripping answer is the same one, a byte at a time."""
        steps = list(perform(WHOLE, Knobs(fault="drip")).steps)
        self.assertEqual({len(step.data) for step in steps}, {1})
        self.assertEqual(b"".join(step.data for step in steps), play(WHOLE)[0])
        self.assertEqual(sum(step.tokens for step in steps), 4)

    def test_endless(self):
        """An endless stream repeats its last piece for as long as anybody asks."""
        for answer in (STREAM, WHOLE):
            steps = iter(perform(answer, Knobs(fault="endless")).steps)
            self.assertTrue(all(next(steps).data for _ in range(1000)))

    def test_interim(self):
        """Interim responses come before the answer's own head; a redirect takes its place."""
        self.assertTrue(
            play(WHOLE, fault="hundred-continue")[0].startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        )
        self.assertTrue(play(WHOLE, fault="interim-103")[0].startswith(b"HTTP/1.1 103 "))
        self.assertTrue(play(WHOLE, fault="redirect")[0].startswith(b"HTTP/1.1 302 Found\r\nlocation: "))

    def test_too_large(self):
        """A body too large is refused with an end of the connection."""
        reply = too_large()
        self.assertEqual((reply.status, reply.end), (413, End.CLOSE))
