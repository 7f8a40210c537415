"""Tests of Anthropic's dialect."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage
from agentgateway.providers.anthropic import ANTHROPIC, MESSAGES
from agentgateway.providers.dialect import Asked, Reading


class Requests(SynchronousTestCase):
    """What a request says and how it is changed."""

    def test_understood(self) -> None:
        """Model, streaming, limit and price modifiers are seen."""
        body = b'{"model":"claude-opus-5","max_tokens":9,"stream":true,"speed":"fast","messages":[{"model":"x"}]}'
        self.assertEqual(
            MESSAGES.understand("/v1/messages", body), Asked("claude-opus-5", True, 9, False, {"speed": "fast"})
        )
        self.assertEqual(MESSAGES.understand("/v1/messages", b"{}"), Asked())
        self.assertEqual(MESSAGES.understand("/v1/messages", b'{"model":5,"stream":1,"max_tokens":"9"}'), Asked())
        self.assertFalse(MESSAGES.understand("/v1/messages", b"[]").well_formed)

    def test_changed(self) -> None:
        """A missing model is put in, the limit lowered, nothing else touched."""
        self.assertEqual(MESSAGES.fill_model(b'{"max_tokens": 9}', 'a"b'), b'{"model":"a\\"b","max_tokens": 9}')
        self.assertEqual(MESSAGES.lower_limit(b'{"max_tokens" : 900, "x":[]}', 50), b'{"max_tokens" : 50, "x":[]}')


class Answers(SynchronousTestCase):
    """What answers say."""

    def read(self, *events: dict) -> Reading:
        """The reading after these events."""
        reading = Reading()
        for event in events:
            MESSAGES.read_event(json.dumps(event).encode(), reading)
        return reading

    def test_last_value_stands(self) -> None:
        """Counts that come again replace those before; what does not come again stays; nothing is added up."""
        reading = self.read(
            {
                "type": "message_start",
                "message": {
                    "model": "m",
                    "usage": {
                        "input_tokens": 10,
                        "output_tokens": 1,
                        "cache_read_input_tokens": 5,
                        "cache_creation_input_tokens": 8,
                        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 6},
                    },
                },
            },
            {"type": "message_delta", "usage": {"output_tokens": 7}},
            {
                "type": "message_delta",
                "usage": {"input_tokens": 12, "output_tokens": 9, "cache_creation_input_tokens": 9},
            },
        )
        self.assertEqual(reading.usage, Usage(12, 9, 5, 3, 6, reported_input=12))
        self.assertTrue(reading.known)
        self.assertFalse(reading.terminal)

    def test_start_alone_is_not_all(self) -> None:
        """After the first event the input is known, the whole usage is not."""
        reading = self.read({"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}})
        self.assertEqual((reading.usage.input, reading.known), (3, False))

    def test_split_without_total(self) -> None:
        """Cache writes said only by their split count all the same."""
        usage = {"input_tokens": 1, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 4}}
        reading = self.read({"type": "message_delta", "usage": usage})
        self.assertEqual((reading.usage.cache_write, reading.usage.cache_write_1h), (0, 4))

    def test_compaction(self) -> None:
        """A compaction is billed on top of the counts beside it; other steps are within them."""
        steps = [
            {"type": "compaction", "input_tokens": 100, "output_tokens": 20},
            {"type": "message", "input_tokens": 5, "output_tokens": 6},
            {"type": "advisor_message", "input_tokens": 50, "output_tokens": 60},
        ]
        reading = self.read(
            {"type": "message_delta", "usage": {"input_tokens": 5, "output_tokens": 6, "iterations": steps}}
        )
        self.assertEqual(reading.usage, Usage(105, 26, reported_input=5))

    def test_searches_thinking_and_tier(self) -> None:
        """Searches, thinking and the service tier are learned."""
        usage = {
            "input_tokens": 1,
            "output_tokens": 9,
            "server_tool_use": {"web_search_requests": 2},
            "output_tokens_details": {"thinking_tokens": 4},
            "service_tier": "priority",
            "speed": "fast",
        }
        reading = self.read({"type": "message_delta", "usage": usage})
        self.assertEqual((reading.usage.web_searches, reading.usage.reasoning), (2, 4))
        self.assertEqual(reading.context, {"service_tier": "priority", "speed": "fast"})

    def test_errors(self) -> None:
        """An error event and an error body say that the answer failed, and end nothing."""
        reading = self.read({"type": "error", "error": {"type": "overloaded_error"}})
        self.assertEqual((reading.failed, reading.terminal), (True, False))
        reading = Reading()
        MESSAGES.read_whole(b'{"type":"error","error":{}}', reading)
        self.assertTrue(reading.failed)


class Refusals(SynchronousTestCase):
    """Errors of our own."""

    def test_body(self) -> None:
        """A refusal has Anthropic's shape, whatever its message holds."""
        message = 'a "quoted"\nline \u2028 \ud800 é'
        body = ANTHROPIC.refusal(402, "budget_exceeded", message, "call-1")
        error = {"type": "billing_error", "message": message}
        self.assertEqual(json.loads(body), {"type": "error", "error": error, "request_id": "call-1"})
        self.assertNotIn(b"\n", body)

    def test_words(self) -> None:
        """Each reason has the word of the contract; a new one is an API error."""
        for reason, word in (
            ("unknown_agent", "authentication_error"),
            ("bad_key", "authentication_error"),
            ("agent_paused", "permission_error"),
            ("policy_denied", "permission_error"),
            ("rate_limited", "rate_limit_error"),
            ("circuit_open", "overloaded_error"),
            ("unpriced_model", "billing_error"),
            ("bad_request", "invalid_request_error"),
            ("upstream_unreachable", "api_error"),
            ("upstream_timeout", "api_error"),
            ("draining", "overloaded_error"),
            ("overloaded", "overloaded_error"),
            ("what_may_come", "api_error"),
        ):
            self.assertEqual(json.loads(ANTHROPIC.refusal(500, reason, "", ""))["error"]["type"], word)

    def test_event(self) -> None:
        """In a stream the same is one error event."""
        event = ANTHROPIC.error_event("upstream_timeout", "too\nlate", "c")
        head, data, *end = event.split(b"\n")
        self.assertEqual((head, end), (b"event: error", [b"", b""]))
        self.assertEqual(
            json.loads(data.removeprefix(b"data: "))["error"], {"type": "api_error", "message": "too\nlate"}
        )
