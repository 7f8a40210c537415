"""Bodies on their way in."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.body import BUFFERED, IncomingBody
from agentgateway.wire.errors import BodyTooLarge, CallerGone


class Sink:
    """Takes what is streamed to it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.parts.append(data)


def incoming(limit: int = 1_000_000) -> tuple[IncomingBody, list[bool]]:
    """A body, and the list of when its caller was paused (True) and resumed."""
    throttled: list[bool] = []
    return IncomingBody(limit, throttled.append), throttled


class IncomingBodyTests(SynchronousTestCase):
    """A body as it arrives."""

    @given(st.lists(st.binary(max_size=20)))
    def test_whole(self, parts: list[bytes]) -> None:
        """However it was cut, it arrives whole."""
        body, _ = incoming()
        for part in parts:
            body.feed(part)
        body.end()
        self.successResultOf(body.arrived())
        taken = body.take()
        self.assertEqual((taken, type(taken)), (b"".join(parts), bytes))
        self.assertEqual(body.received, len(taken))

    @given(st.lists(st.binary(max_size=20)), st.integers(0, 20))
    def test_streamed(self, parts: list[bytes], late: int) -> None:
        """Streamed, what was there before and what came after arrive in order."""
        body, _ = incoming()
        sink: Any = Sink()
        for part in parts[:late]:
            body.feed(part)
        done = body.stream_to(sink)
        for part in parts[late:]:
            body.feed(part)
        self.assertNoResult(done)
        body.end()
        self.successResultOf(done)
        self.assertEqual(b"".join(sink.parts), b"".join(parts))

    def test_bounded_until_wanted(self) -> None:
        """Its caller is paused when a buffer is full that nobody asked for, and resumed when somebody does."""
        body, throttled = incoming()
        body.feed(bytes(BUFFERED))
        self.assertEqual(throttled, [])
        body.feed(b"x")
        self.assertEqual(throttled, [True])
        self.assertNoResult(body.arrived())
        self.assertEqual(throttled, [True, False])

    def test_a_failure_is_kept(self) -> None:
        """Who asks after a failure is told of it, the first one."""
        body, _ = incoming()
        body.feed(b"abc")
        body.fail(CallerGone("gone"))
        body.fail(BodyTooLarge("later"))
        self.failureResultOf(body.arrived(), CallerGone)
        self.assertEqual(body.take(), b"")

    def test_whole_means_kept(self) -> None:
        """A body is whole when all of it is here, not when all of it came and was too much."""
        for limit, whole in ((3, True), (2, False)):
            body, _ = incoming(limit)
            body.feed(b"ab")
            self.assertFalse(body.whole)
            body.feed(b"c")
            body.end()
            self.assertEqual(body.whole, whole)

    def test_complete_is_complete(self) -> None:
        """What fails after the end is no failure of this body."""
        body, _ = incoming()
        body.end()
        body.fail(CallerGone("gone"))
        self.successResultOf(body.arrived())

    def test_abandoned(self) -> None:
        """What nobody wants any more is counted and not kept, and its caller is not left paused."""
        body, throttled = incoming()
        sink: Any = Sink()
        done = body.stream_to(sink)
        body.pause(True)
        body.abandon()
        body.feed(b"abc")
        body.end()
        self.assertNoResult(done)
        self.assertEqual((sink.parts, body.received, body.complete), ([], 3, True))
        self.assertFalse(throttled[-1])

    def test_waiting_can_be_cancelled(self) -> None:
        """Who does not wait any more is not told."""
        body, _ = incoming()
        waiting = body.arrived()
        waiting.cancel()
        self.failureResultOf(waiting)
        body.end()

    def test_invited_once(self) -> None:
        """The invitation to send goes out when the body is first asked for, once."""
        body, _ = incoming()
        invitations: list[int] = []
        body.when_wanted(lambda: invitations.append(1))
        self.assertFalse(body.overdue(1_000, lambda _: 1))
        body.arrived()
        body.arrived()
        self.assertEqual(invitations, [1])
        self.assertTrue(body.overdue(2, lambda _: 1))
        self.assertFalse(body.overdue(0.5, lambda _: 1))

    def test_no_saving_up(self) -> None:
        """A body that came fast at first is as overdue as any other when nothing has come for the time of grace."""
        body = IncomingBody(100_000, lambda paused: None)

        def allowed(received: int) -> float:
            return 30 + received / 100

        wanted = body.arrived()
        body.feed(b"x" * 50_000)
        self.assertFalse(body.overdue(1, allowed))
        self.assertFalse(body.overdue(30, allowed))
        self.assertTrue(body.overdue(32, allowed))
        body.feed(b"x" * 1_000)
        self.assertFalse(body.overdue(40, allowed))
        self.assertNoResult(wanted)
        body.end()
