"""The two kinds of bodies that go out."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from agentgateway.wire.outgoing import StreamedBody, WholeBody
from tests.wire.test_body import Sink, incoming


class OutgoingBodyTests(SynchronousTestCase):
    """Bodies for an agent."""

    def test_whole(self) -> None:
        """A body that is all there is written at once, and can be sent again."""
        body, sink = WholeBody(b"abc"), Sink()
        self.assertFalse(body.sent)
        for _ in range(2):
            self.successResultOf(body.startProducing(sink))
        self.assertTrue(body.sent)
        self.assertEqual((sink.parts, body.length), ([b"abc", b"abc"], 3))

    def test_streamed(self) -> None:
        """A streamed body passes on as it comes, hands back-pressure on, and stops when it is not wanted."""
        source, throttled = incoming()
        body, sink = StreamedBody(source, None), Sink()
        self.assertEqual(body.length, UNKNOWN_LENGTH)
        self.assertEqual(StreamedBody(source, 7).length, 7)
        done = body.startProducing(sink)
        self.assertTrue(body.sent)
        source.feed(b"a")
        body.pauseProducing()
        body.resumeProducing()
        self.assertEqual(throttled[-2:], [True, False])
        body.stopProducing()
        source.feed(b"b")
        self.assertEqual(sink.parts, [b"a"])
        self.assertNoResult(done)
