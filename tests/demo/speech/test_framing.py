"""Tests of JSON bodies, server-sent events and errors."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.speech.framing import refusal, sse, typed


class FramingTests(SynchronousTestCase):
    """Bytes as each provider frames them."""

    def test_events(self):
        """An event has its data on one line, and its name before it where it has one."""
        self.assertEqual(sse({"a": 1}), b'data: {"a":1}\n\n')
        self.assertEqual(typed({"type": "ping"}), b'event: ping\ndata: {"type":"ping"}\n\n')

    def test_refusals(self):
        """Errors that time heals say when to come back; the others do not."""
        for dialect in ("anthropic", "openai", "google"):
            self.assertIn((b"retry-after", b"2"), refusal(dialect, 429, "slow down").headers)
            self.assertNotIn(b"retry-after", dict(refusal(dialect, 500, "sorry").headers))
