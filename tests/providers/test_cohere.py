"""Tests of Cohere's own API."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage
from agentgateway.providers.cohere import CHAT, EMBED
from agentgateway.providers.dialect import Asked, Reading


class Calls(SynchronousTestCase):
    """Requests and answers."""

    def test_requests(self) -> None:
        """Model, streaming and limit are seen and can be set; embeddings have no limit."""
        self.assertEqual(
            CHAT.understand("/v2/chat", b'{"model":"c","stream":true,"max_tokens":3}'), Asked("c", True, 3)
        )
        self.assertFalse(CHAT.understand("/v2/chat", b"1").well_formed)
        self.assertEqual(CHAT.fill_model(b"{}", "c"), b'{"model":"c"}')
        self.assertEqual(CHAT.lower_limit(b"{}", 3), b'{"max_tokens":3}')
        self.assertEqual(EMBED.lower_limit(b"{}", 3), b"{}")

    def test_billed_units(self) -> None:
        """What is billed is charged; pictures are input."""
        reading = Reading()
        EMBED.read_whole(b'{"meta":{"billed_units":{"input_tokens":4,"image_tokens":6}}}', reading)
        self.assertEqual(reading.usage, Usage(10, reported_input=10, input_image=6))

    def test_first_version_streams(self) -> None:
        """The first version's stream says its units within the response that ends it."""
        reading = Reading()
        event = b'{"type":"stream-end","response":{"meta":{"billed_units":{"input_tokens":4,"output_tokens":2}}}}'
        CHAT.read_event(event, reading)
        self.assertEqual((reading.usage.input, reading.usage.output, reading.terminal), (4, 2, True))

    def test_whole_without_units(self) -> None:
        """Without units an answer is measured by its text."""
        reading = Reading()
        CHAT.read_whole(b'{"message":{"content":[{"text":"12345"}]}}', reading)
        self.assertEqual((reading.known, reading.sent_chars), (False, 5))
