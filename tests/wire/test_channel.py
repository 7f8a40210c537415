"""One connection of a caller: order, keeping alive, deadlines, back-pressure, ends."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.channel import LINGER, MAX_PIPELINED
from agentgateway.wire.errors import BodyTimeout, BodyTooLarge, CallerGone
from tests.wire.doubles import Caller, Site, answer, hello, hello_when_whole

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECT = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"


class OrderTests(SynchronousTestCase):
    """Requests on one connection are answered one after the other."""

    def test_keep_alive(self) -> None:
        """A connection serves one request after the other."""
        caller = Caller(Site(hello))
        for number in range(3):
            self.assertTrue(caller.say(GET % number).endswith(b"for /%d" % number))
        self.assertFalse(caller.wire.closed)

    def test_pipelined_behind_a_slow_one(self) -> None:
        """A second request waits until the first has been answered, however fast it could be."""
        caller = Caller(Site())
        self.assertEqual(caller.say(GET % 1 + GET % 2 + GET % 3), b"")
        self.assertEqual(len(caller.site.requests), 1)
        caller.site.reply = hello
        hello(caller.site.requests[0])
        self.assertRegex(caller.wire.taken(), rb"(?s)for /1HTTP.*for /2HTTP.*for /3$")

    def test_a_thousand_pipelined(self) -> None:
        """A thousand pipelined requests, answered at once, need no deep stack."""
        caller = Caller(Site(hello))
        said = caller.say(b"".join(GET % number for number in range(1_000)))
        self.assertEqual(said.count(b"HTTP/1.1 200 OK"), 1_000)
        self.assertTrue(said.endswith(b"for /999"))

    def test_pipelining_is_bounded(self) -> None:
        """A caller that pipelines without waiting for answers is not read any more, until answers have gone out."""
        caller = Caller(Site())
        for number in range(MAX_PIPELINED + 1):
            caller.say(GET % number)
        self.assertFalse(caller.wire.reading)
        hello(caller.site.requests[0])
        self.assertTrue(caller.wire.reading)

    def test_answered_when_the_body_is_whole(self) -> None:
        """A body in any form arrives whole, and the connection stays."""
        for data, body in ((POST % 5 + b"hello", b"hello"), (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello")):
            caller = Caller(Site(hello_when_whole))
            for at in range(len(data)):
                caller.channel.dataReceived(data[at : at + 1])
            self.assertIn(b"200 OK", caller.wire.taken())
            self.assertEqual(caller.site.requests[0].body.take(), body)
            self.assertIn(b"200 OK", caller.say(GET % 1))

    def test_old_http(self) -> None:
        """HTTP/1.0 closes behind the answer, unless it asks to stay."""
        caller = Caller(Site(hello))
        self.assertIn(b"Connection: close\r\n", caller.say(b"GET / HTTP/1.0\r\n\r\n"))
        self.assertTrue(caller.wire.closed)
        caller = Caller(Site(hello))
        said = caller.say(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertIn(b"Connection: keep-alive\r\n", said)
        self.assertFalse(caller.wire.closed)

    def test_close(self) -> None:
        """`Connection: close` is obeyed, and said."""
        caller = Caller(Site(hello))
        said = caller.say(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertIn(b"Connection: close\r\n", said)
        self.assertTrue(caller.wire.closed)

    def test_a_site_that_fails(self) -> None:
        """A mistake in the site is logged and closes the connection; the rest goes on."""

        def fail(_: Any) -> None:
            raise RuntimeError("a mistake")

        caller = Caller(Site(fail))
        self.assertEqual(caller.say(GET % 1), b"")
        self.assertTrue(caller.wire.closed)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class ContinueTests(SynchronousTestCase):
    """`Expect: 100-continue`."""

    def test_invited_when_wanted(self) -> None:
        """The caller is invited to send its body when somebody wants it, not before."""
        caller = Caller(Site())
        self.assertEqual(caller.say(EXPECT), b"")
        arrived = caller.site.requests[0].body.arrived()
        self.assertEqual(caller.wire.taken(), b"HTTP/1.1 100 Continue\r\n\r\n")
        caller.say(b"ab")
        self.successResultOf(arrived)
        hello(caller.site.requests[0])
        self.assertFalse(caller.wire.closed)

    def test_refused_early(self) -> None:
        """A call that is refused is not invited; the connection closes, for its body may come or not."""
        caller = Caller(Site(lambda request: answer(request, b"no", 402)))
        said = caller.say(EXPECT)
        self.assertEqual(said[:13], b"HTTP/1.1 402 ")
        self.assertNotIn(b" 100 ", said)
        self.assertTrue(caller.wire.closed)

    def test_not_waited_for(self) -> None:
        """Who sends the body at once needs no invitation."""
        caller = Caller(Site(hello_when_whole))
        self.assertEqual(caller.say(EXPECT + b"ab")[:12], b"HTTP/1.1 200")

    def test_too_large(self) -> None:
        """A body that is declared too large is not invited."""
        caller = Caller(Site(), max_body_bytes=1)
        self.assertEqual(caller.say(EXPECT), b"")
        self.failureResultOf(caller.site.requests[0].body.arrived(), BodyTooLarge)
        self.assertEqual(caller.wire.taken(), b"")


class EarlyAnswerTests(SynchronousTestCase):
    """Answers while the body is still coming in."""

    def test_the_answer_stays_readable(self) -> None:
        """The answer goes out whole and this side closes; what still comes is read and dropped, so that no reset
        destroys the answer on its way."""
        caller = Caller(Site())
        caller.say(POST % 1_000_000 + b"x" * 1_000)
        answer(caller.site.requests[0], b"too long a tale", 402)
        said = caller.wire.taken()
        self.assertIn(b"Connection: close", said)
        self.assertTrue(said.endswith(b"tale"))
        self.assertTrue(caller.wire.half_closed)
        self.assertFalse(caller.wire.disconnecting)
        self.assertTrue(caller.wire.reading)
        self.assertEqual(caller.say(b"x" * 100_000), b"")
        caller.wait(LINGER)
        self.assertTrue(caller.wire.aborted)

    def test_also_when_the_body_was_held_back(self) -> None:
        """A caller that was paused is read again, to its end."""
        caller = Caller(Site())
        caller.say(POST % 1_000_000 + b"x" * 70_000)
        self.assertFalse(caller.wire.reading)
        answer(caller.site.requests[0], b"no", 402)
        self.assertTrue(caller.wire.reading)

    def test_a_stream_of_an_answer(self) -> None:
        """An upstream that answers while it is being sent to: both go on, and the answer ends whole."""
        caller = Caller(Site())
        caller.say(CHUNKED + b"1\r\na\r\n")
        request = caller.site.requests[0]
        request.write(b"one")
        request.body.abandon()
        said = caller.say(b"1\r\nb\r\n0\r\n\r\n")
        request.finish(b"two")
        said += caller.wire.taken()
        self.assertIn(b"Connection: close", said)
        self.assertTrue(said.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"))
        self.assertTrue(caller.wire.closed)


class BodyTests(SynchronousTestCase):
    """Bodies within their limits, and back-pressure on who sends them."""

    def test_declared_too_large(self) -> None:
        """A declared length above the limit fails at once."""
        caller = Caller(Site(hello_when_whole), max_body_bytes=10)
        caller.say(POST % 11)
        self.assertIsInstance(self.failureResultOf(caller.site.requests[0].body.arrived()).value, BodyTooLarge)

    def test_grown_too_large(self) -> None:
        """Chunks that add up to more than the limit fail when they do."""
        caller = Caller(Site(), max_body_bytes=10)
        caller.say(CHUNKED + b"a\r\n0123456789\r\n")
        arrived = caller.site.requests[0].body.arrived()
        self.assertNoResult(arrived)
        caller.say(b"1\r\nx\r\n")
        self.failureResultOf(arrived, BodyTooLarge)

    def test_nobody_asks(self) -> None:
        """A body that nobody asks for is taken in up to a buffer's size, then its sender is paused."""
        caller = Caller(Site())
        caller.say(POST % 200_000 + b"x" * 60_000)
        self.assertTrue(caller.wire.reading)
        caller.say(b"x" * 10_000)
        self.assertFalse(caller.wire.reading)
        arrived = caller.site.requests[0].body.arrived()
        self.assertTrue(caller.wire.reading)
        caller.say(b"x" * 130_000)
        self.successResultOf(arrived)
        self.assertEqual(len(caller.site.requests[0].body.take()), 200_000)

    def test_paused_and_complete_in_one_segment(self) -> None:
        """A body whose end comes in the segment that fills the buffer does not leave the connection paused."""
        caller = Caller(Site())
        caller.say(POST % 70_000 + b"x" * 70_000)
        self.assertTrue(caller.wire.reading)
        hello(caller.site.requests[0])
        caller.site.reply = hello
        self.assertIn(b"200 OK", caller.say(GET % 1))

    def test_a_pipelined_body_waits_outside(self) -> None:
        """The body of a request that is not active yet is bounded as well."""
        caller = Caller(Site())
        caller.say(GET % 1 + POST % 1_000_000 + b"x" * 70_000)
        self.assertFalse(caller.wire.reading)
        hello(caller.site.requests[0])
        caller.site.requests[1].body.arrived().addErrback(lambda _: None)
        self.assertTrue(caller.wire.reading)

    def test_leaving_within_a_body(self) -> None:
        """Who waits for the body of a caller that leaves is told."""
        caller = Caller(Site())
        caller.say(POST % 10 + b"x")
        arrived = caller.site.requests[0].body.arrived()
        gone = caller.site.requests[0].notifyFinish()
        caller.leave()
        self.failureResultOf(gone)
        self.failureResultOf(arrived, CallerGone)
        caller.site.requests[0].finish(b"to nobody")


class DeadlineTests(SynchronousTestCase):
    """Nobody holds a connection by being slow."""

    def test_no_head(self) -> None:
        """A connection on which nothing comes is closed."""
        caller = Caller(Site())
        self.assertEqual(caller.wait(9), b"")
        self.assertFalse(caller.wire.closed)
        caller.wait(2)
        self.assertTrue(caller.wire.closed)

    def test_a_slow_head(self) -> None:
        """A head that comes a byte a second is answered 408 and closed, though there is never silence."""
        caller = Caller(Site())
        said = b""
        for at in range(12):
            said += caller.say((GET % 1)[at : at + 1]) + caller.wait(1)
        self.assertEqual(said[:13], b"HTTP/1.1 408 ")
        self.assertTrue(caller.wire.closed)

    def test_a_slow_second_head(self) -> None:
        """The time for a head counts from its first byte, not from the end of the request before."""
        caller = Caller(Site(hello))
        caller.say(GET % 1)
        self.assertEqual(caller.wait(60), b"")
        caller.say(b"GET ")
        self.assertEqual(caller.wait(9), b"")
        self.assertEqual(caller.wait(2)[:13], b"HTTP/1.1 408 ")

    def test_a_head_begun_during_a_slow_answer(self) -> None:
        """A pipelined head that is not complete has its time from when the answer before it is out."""
        caller = Caller(Site())
        caller.say(GET % 1 + b"GET ")
        self.assertEqual(caller.wait(100), b"")
        hello(caller.site.requests[0])
        caller.wire.clear()
        self.assertEqual(caller.wait(9), b"")
        self.assertEqual(caller.wait(2)[:13], b"HTTP/1.1 408 ")

    def test_idle(self) -> None:
        """A kept connection on which nothing happens is closed without a word."""
        caller = Caller(Site(hello))
        caller.say(GET % 1)
        self.assertEqual(caller.wait(74), b"")
        self.assertFalse(caller.wire.closed)
        self.assertEqual(caller.wait(2), b"")
        self.assertTrue(caller.wire.closed)

    def test_a_slow_body(self) -> None:
        """A body that trickles fails; the answer says so."""
        caller = Caller(Site(hello_when_whole))
        caller.say(POST % 1_000)
        said = b""
        for _ in range(40):
            said += caller.say(b"x") if not caller.wire.closed else b""
            said += caller.wait(1)
        self.failureResultOf(caller.site.requests[0].body.arrived(), BodyTimeout)
        self.assertEqual(said[:13], b"HTTP/1.1 400 ")

    def test_a_body_that_is_held_back_is_not_slow(self) -> None:
        """Time in which the caller was paused by us does not count."""
        caller = Caller(Site())
        caller.say(POST % 1_000_000 + b"x" * 70_000)
        caller.wait(200)
        arrived = caller.site.requests[0].body.arrived()
        caller.wait(20)
        self.assertNoResult(arrived)
        caller.wait(200)
        self.failureResultOf(arrived, BodyTimeout)

    def test_a_body_that_was_not_invited_is_not_slow(self) -> None:
        """Who waits for `100 Continue` is not blamed for waiting."""
        caller = Caller(Site())
        caller.say(EXPECT)
        caller.wait(200)
        arrived = caller.site.requests[0].body.arrived()
        self.assertNoResult(arrived)
        caller.wait(20)
        caller.say(b"ab")
        self.successResultOf(arrived)

    def test_a_long_answer(self) -> None:
        """No deadline touches a call that is being answered."""
        caller = Caller(Site())
        caller.say(GET % 1)
        caller.site.requests[0].write(b"one")
        caller.wait(10_000)
        self.assertFalse(caller.wire.closed)

    def test_a_last_answer_that_nobody_takes(self) -> None:
        """A caller that does not take the last bytes is cut off in the end."""
        caller = Caller(Site())
        caller.say(GET % 1)
        caller.site.requests[0].break_off(b"the last")
        caller.wait(76)
        self.assertTrue(caller.wire.aborted)


class BackPressureTests(SynchronousTestCase):
    """A caller that reads slowly."""

    def test_the_producer_is_the_transports(self) -> None:
        """Whoever produces the answer is paused by the caller's socket."""
        caller = Caller(Site())
        caller.say(GET % 1)
        request = caller.site.requests[0]
        producer = object()
        request.registerProducer(producer, True)
        self.assertIs(caller.wire.producer, producer)
        request.finish()
        self.assertIsNone(caller.wire.producer)

    def test_broken_off_with_a_producer(self) -> None:
        """Breaking off lets go of the producer: with one, TLS would never close."""
        caller = Caller(Site())
        caller.say(GET % 1)
        request = caller.site.requests[0]
        request.registerProducer(object(), True)
        request.break_off(b"and no more")
        self.assertIsNone(caller.wire.producer)
        request.write(b"nothing")
        self.assertTrue(caller.wire.value().endswith(b"and no more\r\n"))
        self.assertTrue(caller.wire.closed)


class DrainTests(SynchronousTestCase):
    """Going away without breaking anything."""

    def test_idle_now_others_behind_their_answer(self) -> None:
        """Idle connections close at once; one with a call closes behind its answer, and says so."""
        idle = Caller(Site(hello))
        idle.say(GET % 1)
        busy = Caller(idle.site, idle.clock, idle.server)
        busy.site.reply = None
        busy.say(GET % 2)
        idle.server.drain()
        self.assertTrue(idle.wire.closed)
        self.assertFalse(busy.wire.closed)
        hello(busy.site.requests[-1])
        self.assertIn(b"Connection: close", busy.wire.taken())
        self.assertTrue(busy.wire.closed)
