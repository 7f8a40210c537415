"""Tests of Ollama's own API."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.dialect import Asked, Reading
from agentgateway.providers.ollama import CHAT


class Calls(SynchronousTestCase):
    """Requests and answers."""

    def test_requests(self) -> None:
        """Answers are streamed unless the request says otherwise; the limit is an option."""
        self.assertEqual(
            CHAT.understand("/api/chat", b'{"model":"l","options":{"num_predict":3}}'), Asked("l", True, 3)
        )
        self.assertFalse(CHAT.understand("/api/chat", b'{"stream":false}').stream)
        self.assertFalse(CHAT.understand("/api/chat", b"").well_formed)
        self.assertEqual(CHAT.fill_model(b"{}", "l"), b'{"model":"l"}')
        self.assertEqual(CHAT.lower_limit(b'{"options":{"a":1}}', 3), b'{"options":{"num_predict":3,"a":1}}')

    def test_lines_cut_off(self) -> None:
        """Lines that end early are measured by what they say."""
        reading = Reading()
        CHAT.read_whole(b'{"model":"l","response":"1234"}\n\n{"response":"56"}\n{"respo', reading)
        self.assertEqual((reading.model, reading.sent_chars, reading.known), ("l", 6, False))

    def test_errors(self) -> None:
        """An error line says that the answer failed."""
        reading = Reading()
        CHAT.read_whole(b'{"error":"out of memory"}', reading)
        self.assertTrue(reading.failed)
