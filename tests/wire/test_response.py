"""A response's body, delivered to who asks for it, when it asks for it."""

from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.iweb import UNKNOWN_LENGTH

from agentgateway.wire.errors import UpstreamBroken
from agentgateway.wire.headers import RawHeaders
from agentgateway.wire.response import Response
from tests.wire.doubles import Receiver, receive


class Source:
    """The connection of a response."""

    aborted = False

    def set_reading(self, response: Response) -> None:
        """Looked at by `waiting`."""

    def abort(self) -> None:
        """Broken off."""
        self.aborted = True


def response() -> tuple[Response, Source]:
    """A response with one field, its body to come."""
    source: Any = Source()
    return Response(source, 200, b"OK", RawHeaders([(b"a", b"b")]), None), source


class ResponseTests(SynchronousTestCase):
    """What a receiver sees."""

    def test_head(self) -> None:
        """Code, phrase, fields and length are there at once."""
        got, _ = response()
        self.assertEqual((got.code, got.phrase, got.length), (200, b"OK", UNKNOWN_LENGTH))
        self.assertEqual(got.headers.getRawHeaders(b"a"), [b"b"])

    def test_kept_until_somebody_asks(self) -> None:
        """What came before the receiver is delivered joined, then the end."""
        got, _ = response()
        got.deliver([b"a", b"b"])
        self.assertTrue(got.waiting)
        got.complete = True
        got.deliver([b"c"])
        receiver = receive(got)
        self.assertEqual(receiver.parts, [b"abc"])
        self.assertIsInstance(receiver.ended, ResponseDone)

    def test_segment_by_segment(self) -> None:
        """Each segment is delivered as it comes."""
        got, _ = response()
        receiver = receive(got)
        got.deliver([b"a", b"b"])
        got.deliver([b"c"])
        self.assertEqual(receiver.parts, [b"ab", b"c"])

    def test_paused(self) -> None:
        """While it is paused a receiver gets nothing, not even the end; then all."""
        got, _ = response()
        receiver = receive(got)
        got.pauseProducing()
        got.deliver([b"a"])
        got.end(Failure(UpstreamBroken("broken", True)))
        self.assertEqual((receiver.parts, receiver.ended), ([], None))
        got.resumeProducing()
        self.assertEqual(receiver.parts, [b"a"])
        self.assertIsInstance(receiver.ended, UpstreamBroken)

    def test_resumed_within_its_own_data(self) -> None:
        """A receiver may pause, resume and abort from within dataReceived."""

        class Fidget(Receiver):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.transport.pauseProducing()
                self.transport.resumeProducing()

        got, _ = response()
        fidget = Fidget()
        got.deliverBody(fidget)
        got.complete = True
        got.deliver([b"a"])
        self.assertEqual(fidget.parts, [b"a"])
        self.assertIsInstance(fidget.ended, ResponseDone)

    def test_aborted(self) -> None:
        """Aborting closes the connection, and the receiver hears nothing more; after the end it does nothing."""
        got, source = response()
        receiver = receive(got)
        got.stopProducing()
        self.assertTrue(source.aborted)
        got.deliver([b"a"])
        self.assertEqual((receiver.parts, receiver.ended), ([], None))
        got, source = response()
        receive(got)
        got.complete = True
        got.deliver([])
        got.abort()
        self.assertFalse(source.aborted)
