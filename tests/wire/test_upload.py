"""Streaming a request's body to an upstream."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.body import IncomingBody
from agentgateway.wire.errors import CallerGone, HeadTimeout
from agentgateway.wire.outgoing import StreamedBody
from tests.wire.doubles import Upstream, receive

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class UploadTests(SynchronousTestCase):
    """A body that is not all there when the request begins."""

    def begin(self, length: int | None = None, early: bytes = b"") -> None:
        """A request whose body comes from `self.body`."""
        self.throttled: list[bool] = []
        self.body = IncomingBody(1_000_000, self.throttled.append)
        if early:
            self.body.feed(early)
        self.upstream = Upstream()
        self.asked = self.upstream.ask(b"POST", None, StreamedBody(self.body, length))
        self.wire = self.upstream.line.wire

    def test_chunked(self) -> None:
        """Without a length the body goes out in chunks as they come, the first with the head."""
        self.begin(early=b"ab")
        head = b"POST / HTTP/1.1\r\nHost: upstream.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertEqual(self.wire.taken(), head + b"2\r\nab\r\n")
        self.body.feed(b"c")
        self.assertEqual(self.wire.taken(), b"1\r\nc\r\n")
        self.body.end()
        self.assertEqual(self.wire.taken(), b"0\r\n\r\n")
        self.upstream.line.say(OK)
        self.assertEqual(receive(self.successResultOf(self.asked)).body, b"ok")
        self.assertEqual(self.upstream.agent.counts, (1, 1))

    def test_measured(self) -> None:
        """With a length it goes out as it is; the head does not wait for the first byte."""
        self.begin(3)
        self.assertTrue(self.wire.taken().endswith(b"Content-Length: 3\r\n\r\n"))
        self.body.feed(b"abc")
        self.body.end()
        self.assertEqual(self.wire.taken(), b"abc")
        self.assertIsNone(self.wire.producer)

    def test_a_slow_upstream_pauses_the_caller(self) -> None:
        """Back-pressure passes through, both ways."""
        self.begin()
        self.wire.producer.pauseProducing()
        self.assertTrue(self.throttled[-1])
        self.wire.producer.resumeProducing()
        self.assertFalse(self.throttled[-1])

    def test_an_upstream_that_takes_nothing(self) -> None:
        """An upload that stalls for the response time-out fails; one that only waits for its caller does not."""
        self.begin()
        self.upstream.wait(700)
        self.assertNoResult(self.asked)
        self.wire.producer.pauseProducing()
        self.upstream.wait(601)
        self.failureResultOf(self.asked, HeadTimeout)
        self.assertTrue(self.wire.aborted)

    def test_the_head_is_awaited_from_the_last_byte(self) -> None:
        """The response time-out begins when the body is out."""
        self.begin()
        self.upstream.wait(700)
        self.body.end()
        self.upstream.wait(599)
        self.assertNoResult(self.asked)
        self.upstream.wait(2)
        self.failureResultOf(self.asked, HeadTimeout)

    def test_the_caller_leaves(self) -> None:
        """A body that breaks off closes the upstream's connection, and is the reason given."""
        self.begin(10, b"abc")
        self.body.fail(CallerGone("gone"))
        self.failureResultOf(self.asked, CallerGone)
        self.assertTrue(self.wire.aborted)
        self.assertEqual(self.upstream.agent.counts[1], 0)

    def test_failed_before_it_began(self) -> None:
        """A body that has failed already fails the request at once."""
        self.body = IncomingBody(10, lambda _: None)
        self.body.fail(CallerGone("gone"))
        self.failureResultOf(Upstream().ask(b"POST", None, StreamedBody(self.body, None)), CallerGone)

    def test_an_early_answer(self) -> None:
        """An upstream may answer while the body goes out: the answer arrives whole, the rest of the body is not sent,
        and the connection is not used again."""
        self.begin(early=b"a")
        self.upstream.line.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\n\r\nabc")
        receiver = receive(self.successResultOf(self.asked))
        self.body.feed(b"b")
        self.assertTrue(self.wire.taken().endswith(b"1\r\nb\r\n"))
        self.upstream.line.say(b"def")
        self.assertEqual(receiver.body, b"abcdef")
        self.body.feed(b"c")
        self.body.end()
        self.assertEqual(self.wire.taken(), b"")
        self.assertTrue(self.wire.closed)
        self.assertEqual(self.upstream.agent.counts[1], 0)

    def test_cancelled(self) -> None:
        """Cancelling within the upload stops it and closes the connection."""
        self.begin(early=b"a")
        self.asked.cancel()
        self.failureResultOf(self.asked)
        self.assertTrue(self.wire.aborted)
        self.wire.clear()
        self.body.feed(b"b")
        self.assertEqual(self.wire.taken(), b"")

    def test_the_upstream_hangs_up(self) -> None:
        """An upstream that closes within the upload fails the request; what still comes from the caller is dropped."""
        self.begin(early=b"a")
        self.upstream.line.hang_up()
        failure: Any = self.failureResultOf(self.asked)
        self.assertTrue(failure.value.untouched)
        self.body.feed(b"b")
        self.body.end()
