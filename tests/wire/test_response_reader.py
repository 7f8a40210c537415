"""How long a response's body is."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.errors import WireError
from agentgateway.wire.headers import lowered
from agentgateway.wire.response_reader import framing


class FramingTests(SynchronousTestCase):
    """Length, chunks, or until the upstream closes."""

    def test_declared(self) -> None:
        """A length, chunks, or neither."""
        self.assertEqual(framing(lowered([(b"content-LENGTH", b"5")])), (5, False))
        self.assertEqual(framing(lowered([(b"Transfer-encoding", b"Chunked")])), (None, True))
        self.assertEqual(framing(lowered([(b"a", b"b")])), (None, False))

    def test_other_codings(self) -> None:
        """A coding that was not asked for cannot be passed on."""
        self.assertRaises(WireError, framing, {b"transfer-encoding": b"gzip, chunked"})
