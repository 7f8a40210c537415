"""One connection to an upstream: responses of every shape, and those that are none."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from agentgateway.wire.errors import HeadTimeout, SilenceTimeout, UpstreamBroken
from tests.wire.doubles import Receiver, Upstream, receive

GOOD = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
)
GARBAGE = (
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 099 Odd\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
)


class Case(SynchronousTestCase):
    """With an upstream that the test plays."""

    def setUp(self) -> None:
        self.upstream = Upstream()

    def begin(self, method: bytes = b"GET") -> None:
        """Send a request."""
        self.asked = self.upstream.ask(method)
        self.line = self.upstream.line

    def reused(self) -> bool:
        """Whether the connection is in the pool, to be used again."""
        return self.upstream.agent.counts[1] == 1


class ResponseTests(Case):
    """Responses as they should be."""

    def test_in_any_segments(self) -> None:
        """Length, chunks, and information before it: the same response whether it comes whole or a byte at a time."""
        for data in GOOD:
            for size in (1 << 20, 1, 7):
                with self.subTest(data=data, size=size):
                    self.upstream = Upstream()
                    self.begin()
                    receivers: list[Receiver] = []
                    self.asked.addCallback(lambda response, into=receivers: into.append(receive(response)))
                    for at in range(0, len(data), size):
                        self.line.say(data[at : at + size])
                    self.assertEqual(receivers[0].body, b"hello")
                    self.assertIsInstance(receivers[0].ended, ResponseDone)
                    self.assertTrue(self.reused())

    def test_segment_by_segment(self) -> None:
        """A stream's events are delivered one by one, as they come."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        response = self.successResultOf(self.asked)
        receiver = receive(response)
        for number in range(3):
            self.line.say(b"9\r\ndata: %d\n\n\r\n" % number)
            self.assertFalse(response.complete)
        self.assertEqual(receiver.parts, [b"data: %d\n\n" % number for number in range(3)])
        self.line.say(b"0\r\n\r\n")
        self.assertIsInstance(receiver.ended, ResponseDone)

    def test_completeness_is_known_with_the_last_bytes(self) -> None:
        """Who gets the last bytes can see that they are the last."""
        seen = []
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        response = self.successResultOf(self.asked)

        class Watcher(Receiver):
            def dataReceived(self, data: bytes) -> None:
                seen.append((data, response.complete))

        response.deliverBody(Watcher())
        self.line.say(b"cd")
        self.assertEqual(seen, [(b"ab", False), (b"cd", True)])

    def test_no_body(self) -> None:
        """HEAD, 204 and 304 have none, whatever they declare, and the connection stays."""
        for method, status in ((b"HEAD", b"200 OK"), (b"GET", b"204 No Content"), (b"GET", b"304 Not Modified")):
            self.upstream = Upstream()
            for _ in range(2):
                self.begin(method)
                self.line.say(b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % status)
                response = self.successResultOf(self.asked)
                self.assertIsInstance(receive(response).ended, ResponseDone)
                self.assertEqual(response.headers.getRawHeaders(b"content-length"), [b"5"])
                self.assertTrue(self.reused())
            self.assertEqual(len(self.upstream.exchange.lines), 1)

    def test_a_body_where_none_may_be(self) -> None:
        """An upstream that answers HEAD with a body: it is dropped, and the connection not used again."""
        self.begin(b"HEAD")
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        self.assertEqual(receive(self.successResultOf(self.asked)).body, b"")
        self.assertFalse(self.reused())

    def test_until_it_closes(self) -> None:
        """A body without a length ends when the upstream closes in order."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\n\r\nhel")
        receiver = receive(self.successResultOf(self.asked))
        self.line.say(b"lo")
        self.assertIsNone(receiver.ended)
        self.line.hang_up()
        self.assertEqual(receiver.body, b"hello")
        self.assertIsInstance(receiver.ended, ResponseDone)

    def test_closing_afterwards(self) -> None:
        """`Connection: close` is obeyed; an upstream that then does not close is cut off by the next sweep."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        receive(self.successResultOf(self.asked))
        self.assertFalse(self.reused())
        self.assertTrue(self.line.wire.disconnecting)
        self.upstream.wait(1)
        self.assertTrue(self.line.wire.aborted)

    def test_old_http(self) -> None:
        """An upstream that speaks HTTP/1.0 is believed that it closes, unless it says that it stays."""
        for field, stays in ((b"", False), (b"Connection: keep-alive\r\n", True)):
            self.upstream = Upstream()
            self.begin()
            self.line.say(b"HTTP/1.0 200 OK\r\n" + field + b"Content-Length: 2\r\n\r\nok")
            self.assertEqual(receive(self.successResultOf(self.asked)).body, b"ok")
            self.assertEqual(self.reused(), stays)


class BrokenTests(Case):
    """Upstreams that break off, or speak something else."""

    def test_garbage(self) -> None:
        """What is no valid response fails the request and closes the connection."""
        for data in GARBAGE:
            with self.subTest(data=data[:60]):
                self.upstream = Upstream()
                self.begin()
                self.line.say(data)
                broken = self.failureResultOf(self.asked, UpstreamBroken).value
                self.assertFalse(broken.untouched)
                self.assertFalse(broken.answered)
                self.assertTrue(self.line.wire.aborted)

    def test_an_endless_head(self) -> None:
        """A head, or trailers, that never end are cut off."""
        for opening in (b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: "):
            self.upstream = Upstream()
            self.begin()
            self.line.say(opening)
            for _ in range(200):
                if not self.line.wire.closed:
                    self.line.say(b"b" * 1_000)
            self.assertTrue(self.line.wire.aborted)
            self.asked.addBoth(lambda _: None)

    def test_a_long_stream_of_bare_chunk_sizes_is_no_endless_head(self) -> None:
        """An upstream that sends each chunk's size in a segment of its own may do so for ever."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        receiver = receive(self.successResultOf(self.asked))
        for _ in range(2_000):
            self.line.say(b"1;" + b"x" * 100 + b"\r\n")
            self.line.say(b"a\r\n")
        self.assertEqual(len(receiver.body), 2_000)
        self.assertFalse(self.line.wire.closed)

    def test_too_short(self) -> None:
        """A body shorter than declared, or without its last chunk, is broken, never complete."""
        for head in (b"Content-Length: 9", b"Transfer-Encoding: chunked"):
            self.upstream = Upstream()
            self.begin()
            self.line.say(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n3\r\nabc\r\n")
            response = self.successResultOf(self.asked)
            receiver = receive(response)
            self.line.hang_up()
            self.assertIsInstance(receiver.ended, UpstreamBroken)
            self.assertTrue(receiver.ended.answered)
            self.assertFalse(response.complete)

    def test_reset(self) -> None:
        """A reset within a body without a length is a break, not its end."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\n\r\nhel")
        receiver = receive(self.successResultOf(self.asked))
        self.line.hang_up(ConnectionLost())
        self.assertIsInstance(receiver.ended, UpstreamBroken)

    def test_garbage_within_a_body(self) -> None:
        """What was good is delivered, then the break."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        receiver = receive(self.successResultOf(self.asked))
        self.line.say(b"2\r\nab\r\nzz\r\n")
        self.assertEqual(receiver.body, b"ab")
        self.assertIsInstance(receiver.ended, UpstreamBroken)
        self.assertTrue(self.line.wire.aborted)

    def test_more_than_one_response(self) -> None:
        """Bytes behind a response, in its segment or later, are nobody's answer: the connection is not used again."""
        good = GOOD[0]
        for more in (good, b"garbage", b"HTTP/1.1 200"):
            self.upstream = Upstream()
            self.begin()
            asked_next = []
            self.asked.addCallback(
                lambda response, into=asked_next: [receive(response), into.append(self.upstream.ask())]
            )
            self.line.say(good + more)
            self.assertTrue(self.line.wire.closed, more)
            self.assertEqual(len(self.upstream.exchange.lines), 2, "the next request went over another connection")
            self.assertNoResult(asked_next[0])
            self.upstream = Upstream()
            self.begin()
            self.line.say(good)
            self.line.say(more)
            self.assertTrue(self.line.wire.aborted)

    def test_nothing_at_all(self) -> None:
        """A fresh connection that closes without a byte fails, as untouched."""
        self.begin()
        self.line.hang_up()
        self.assertTrue(self.failureResultOf(self.asked, UpstreamBroken).value.untouched)
        self.assertEqual(self.upstream.agent.counts, (0, 0))


class CancelTests(Case):
    """Leaving, at each stage."""

    def test_before_the_head(self) -> None:
        """Cancelling before the head closes the connection at once."""
        self.begin()
        self.asked.cancel()
        self.failureResultOf(self.asked)
        self.assertTrue(self.line.wire.aborted)
        self.line.say(GOOD[0])
        self.line.hang_up()
        self.assertEqual(self.upstream.agent.counts, (0, 0))

    def test_within_the_body(self) -> None:
        """Aborting the response closes the connection at once."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        receiver = receive(self.successResultOf(self.asked))
        receiver.transport.stopProducing()
        self.assertTrue(self.line.wire.aborted)
        self.line.hang_up()
        self.assertIsNone(receiver.ended)

    def test_closing_all(self) -> None:
        """Closing the agent tells everybody who waits."""
        self.begin()
        self.upstream.agent.close()
        self.failureResultOf(self.asked, UpstreamBroken)
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        receiver = receive(self.successResultOf(self.asked))
        self.upstream.agent.close()
        self.assertIsInstance(receiver.ended, UpstreamBroken)


class TimeTests(Case):
    """Upstreams that are slow."""

    def test_no_head(self) -> None:
        """A head that does not come in time fails the request."""
        self.begin()
        self.upstream.wait(599)
        self.assertNoResult(self.asked)
        self.upstream.wait(2)
        self.failureResultOf(self.asked, HeadTimeout)
        self.assertTrue(self.line.wire.aborted)

    def test_silence(self) -> None:
        """Silence within a body breaks it; any byte begins the time anew."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        receiver = receive(self.successResultOf(self.asked))
        self.upstream.wait(290)
        self.line.say(b"a")
        self.upstream.wait(290)
        self.assertIsNone(receiver.ended)
        self.upstream.wait(20)
        self.assertIsInstance(receiver.ended, SilenceTimeout)

    def test_a_paused_receiver_is_not_timed_out(self) -> None:
        """While the receiver has paused, silence is its own doing."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        receiver = receive(self.successResultOf(self.asked))
        receiver.transport.pauseProducing()
        self.assertFalse(self.line.wire.reading)
        self.upstream.wait(1_000)
        receiver.transport.resumeProducing()
        self.upstream.wait(290)
        self.assertIsNone(receiver.ended)


class BackPressureTests(Case):
    """A slow receiver stops the upstream."""

    def test_until_somebody_takes_it(self) -> None:
        """A response that nobody takes is not read."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
        self.assertFalse(self.line.wire.reading)
        receive(self.successResultOf(self.asked))
        self.assertTrue(self.line.wire.reading)

    def test_an_old_receiver_does_not_disturb_the_next(self) -> None:
        """Pausing or resuming a response that has ended does nothing to the connection's next one."""
        self.begin()
        self.line.say(GOOD[0])
        old = receive(self.successResultOf(self.asked))
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
        self.assertFalse(self.line.wire.reading)
        old.transport.pauseProducing()
        old.transport.resumeProducing()
        old.transport.stopProducing()
        self.assertFalse(self.line.wire.reading)
        self.assertFalse(self.line.wire.closed)

    def test_paused_at_its_end(self) -> None:
        """A receiver that is paused when the last bytes come gets them later; the connection is free meanwhile."""
        self.begin()
        self.line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        receiver = receive(self.successResultOf(self.asked))
        receiver.transport.pauseProducing()
        self.line.say(b"cd")
        self.assertTrue(self.reused())
        self.assertTrue(self.line.wire.reading)
        self.assertEqual(receiver.body, b"ab")
        receiver.transport.resumeProducing()
        self.assertEqual(receiver.body, b"abcd")
        self.assertIsInstance(receiver.ended, ResponseDone)


splinters = st.sampled_from([b"", b"\r", b"\n", b"\r\n", b":", b"\x00", b" ", b"9", b"0\r\n\r\n"])


class PropertyTests(SynchronousTestCase):
    """For any bytes an upstream may send."""

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_any_bytes(self, data: st.DataObject) -> None:
        """Nothing raises or is logged, every request ends, every body ends, and no connection is left."""
        stream = bytearray(data.draw(st.sampled_from(GOOD + GARBAGE) | st.binary(max_size=60)))
        stream += data.draw(st.sampled_from((b"", *GOOD)))
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(stream)))
            stream[at : at + data.draw(st.integers(0, 2))] = data.draw(splinters)
        upstream = Upstream()
        asked = upstream.ask(data.draw(st.sampled_from([b"GET", b"HEAD", b"POST"])))
        receivers: list[Receiver] = []
        asked.addCallbacks(lambda response: receivers.append(receive(response)), lambda _: None)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            upstream.line.say(bytes(stream[start:end]))
        upstream.wait(1)
        upstream.line.hang_up()
        self.successResultOf(asked)
        for receiver in receivers:
            self.assertIsNotNone(receiver.ended)
        self.assertEqual(upstream.agent.counts, (0, 0))
        self.assertEqual(self.flushLoggedErrors(), [])
