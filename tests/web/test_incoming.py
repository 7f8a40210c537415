"""The caller's body, whole or as it comes, in the wire's requests and in stock ones."""

from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.web.incoming import Incoming
from agentgateway.wire.body import IncomingBody
from agentgateway.wire.errors import BodyTooLarge
from agentgateway.wire.outgoing import StreamedBody, WholeBody
from agentgateway.wire.request import Request


class Stock:
    """As much of a stock request as counts here."""

    method = b"POST"

    def __init__(self, body: bytes) -> None:
        self.content = BytesIO(body)


def wired(body: IncomingBody, method: bytes = b"POST", length: int | None = 4) -> Incoming:
    """A request of the wire with that body."""
    request = Request.__new__(Request)
    request.method, request.body, request.length = method, body, length
    return Incoming(request)


class IncomingTests(SynchronousTestCase):
    """Nothing is passed on that is not all there."""

    def setUp(self) -> None:
        """A body of which nothing has come."""
        self.body = IncomingBody(10, lambda paused: None)

    def read(self, incoming: Incoming) -> Any:
        """The Deferred of the whole body."""
        return Deferred.fromCoroutine(incoming.read())

    def test_all_there(self) -> None:
        """A body that came with the head is taken as it is."""
        self.body.feed(b"abcd")
        self.body.end()
        incoming = wired(self.body)
        self.assertFalse(incoming.pending)
        self.assertEqual(incoming.whole(), b"abcd")

    def test_still_coming(self) -> None:
        """One that has not come in full is waited for."""
        self.body.feed(b"ab")
        incoming = wired(self.body)
        self.assertEqual((incoming.pending, incoming.whole()), (True, None))
        reading = self.read(incoming)
        self.assertNoResult(reading)
        self.body.feed(b"cd")
        self.body.end()
        self.assertEqual((self.successResultOf(reading), incoming.pending), (b"abcd", False))

    def test_too_large(self) -> None:
        """One that is too large is never passed on, not even where it came in one piece."""
        self.body.feed(b"x" * 11)
        self.body.end()
        incoming = wired(self.body)
        self.assertEqual((incoming.pending, incoming.whole()), (True, None))
        self.failureResultOf(self.read(incoming), BodyTooLarge)

    def test_onward(self) -> None:
        """What was read goes on whole; what was not is streamed; without a body nothing goes, unless the method wants one."""
        whole = wired(self.body).onward(b"abcd")
        assert isinstance(whole, WholeBody)
        self.assertEqual(whole.data, b"abcd")
        self.assertIsNone(wired(self.body, b"GET").onward(b""))
        self.assertIsInstance(wired(self.body, b"PUT").onward(b""), WholeBody)
        streamed = wired(self.body).onward(None)
        assert isinstance(streamed, StreamedBody)
        self.assertEqual(streamed.length, 4)

    def test_stock(self) -> None:
        """A stock request has all of its body."""
        incoming = Incoming(Stock(b"abcd"))
        self.assertEqual((incoming.pending, incoming.whole()), (False, b"abcd"))
