"""Tests of the Responses API."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.dialect import Asked, Reading
from agentgateway.providers.responses import RESPONSES, RESPONSES_DIALECT


class Requests(SynchronousTestCase):
    """What a request says and how it is changed."""

    def test_understood_and_changed(self) -> None:
        """Model, streaming, limit and tier are seen; model and limit can be set."""
        body = b'{"model":"o3","stream":true,"max_output_tokens":5,"service_tier":"flex"}'
        self.assertEqual(
            RESPONSES.understand("/v1/responses", body), Asked("o3", True, 5, False, {"service_tier": "flex"})
        )
        self.assertFalse(RESPONSES.understand("/v1/responses", b"").well_formed)
        self.assertEqual(RESPONSES.fill_model(b"{}", "m"), b'{"model":"m"}')
        self.assertEqual(RESPONSES.lower_limit(b'{"max_output_tokens":null}', 3), b'{"max_output_tokens":3}')
        self.assertEqual(RESPONSES.ask_usage(b"{}"), b"{}")


class Answers(SynchronousTestCase):
    """What answers say."""

    def read(self, event: dict) -> Reading:
        """The reading after one event."""
        reading = Reading()
        RESPONSES.read_event(json.dumps(event).encode(), reading)
        return reading

    def test_ends(self) -> None:
        """Completed, incomplete and failed end a stream and carry its usage; only failed failed."""
        usage = {"input_tokens": 4, "output_tokens": 2}
        for kind, failed in (("completed", False), ("incomplete", False), ("failed", True)):
            reading = self.read({"type": f"response.{kind}", "response": {"usage": usage, "model": "m"}})
            self.assertEqual((reading.usage.input, reading.usage.output, reading.failed), (4, 2, failed))
            self.assertTrue(reading.known and reading.terminal and reading.final)

    def test_on_the_way(self) -> None:
        """Events before the end end nothing; deltas of any kind of text count, of sound not."""
        self.assertFalse(self.read({"type": "response.in_progress", "response": {"usage": None}}).terminal)
        self.assertEqual(self.read({"type": "response.function_call_arguments.delta", "delta": "abc"}).sent_chars, 3)
        self.assertEqual(self.read({"type": "response.audio.delta", "delta": "abc"}).sent_chars, 0)
        self.assertTrue(self.read({"type": "error", "message": "x"}).failed)

    def test_whole_without_usage(self) -> None:
        """A whole answer without usage is measured by its output; of one that waits the rest comes later."""
        reading = Reading()
        RESPONSES.read_whole(b'{"status":"completed","output":[{"content":[{"text":"12345"}]}]}', reading)
        self.assertEqual((reading.sent_chars, reading.owed, reading.failed), (5, True, False))
        RESPONSES.read_whole(b'{"status":"queued","usage":null}', reading)
        self.assertTrue(reading.later)


class Refusals(SynchronousTestCase):
    """Errors of our own."""

    def test_event(self) -> None:
        """In a stream an error is a typed event that SDKs raise on."""
        head, data, *_ = RESPONSES_DIALECT.error_event("draining", "bye", "c").split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))
        self.assertEqual(
            (head, event["type"], event["code"], event["message"]), (b"event: error", "error", "overloaded", "bye")
        )
        self.assertEqual(event["error"]["message"], "bye")
        self.assertEqual(RESPONSES_DIALECT.name, "openai")
