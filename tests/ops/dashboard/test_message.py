"""Tests of agentgateway.ops.dashboard.message."""

import zlib

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.dashboard.message import Message


class MessageTests(SynchronousTestCase):
    """One message."""

    def test_deflate(self) -> None:
        """Compressed in pieces it is what it was."""
        message = Message({"text": "so it goes " * 60_000})
        self.assertGreater(len(list(message.deflate())), 1)
        again = zlib.decompressobj(-15).decompress((message.deflated or b"") + b"\0\0\xff\xff")
        self.assertEqual(again, message.payload)
