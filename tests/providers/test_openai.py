"""Tests of OpenAI's dialect: chat, completions, embeddings."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import STANDARD, Asked, Reading
from agentgateway.providers.openai import CHAT, COMPLETION, EMBEDDINGS
from tests.providers.test_splice import OBJECTS, spelled

PATH = "/v1/chat/completions"


class Requests(SynchronousTestCase):
    """What a request says and how it is changed."""

    def test_understood(self) -> None:
        """Model, streaming, limits, tier and the wish for usage are seen; the limit covers all choices."""
        body = b'{"model":"gpt-4o","stream":true,"max_tokens":5,"n":3,"stream_options":{"include_usage":true}}'
        self.assertEqual(CHAT.understand(PATH, body), Asked("gpt-4o", True, 15, True, choices=3))
        body = b'{"model":"gpt-4o","max_completion_tokens":7,"max_tokens":5,"service_tier":"flex"}'
        self.assertEqual(CHAT.understand(PATH, body), Asked("gpt-4o", False, 7, False, {"service_tier": "flex"}))
        self.assertEqual(CHAT.understand(PATH, b'{"stream":"yes","stream_options":7,"n":-1}'), Asked())
        self.assertFalse(CHAT.understand(PATH, b"\x1f\x8b").well_formed)

    def test_usage_asked_for(self) -> None:
        """The wish for usage goes in whatever stands there; where it cannot, the body stays as it is."""
        for before, after in (
            (b'{"a":1}', b'{"stream_options":{"include_usage":true},"a":1}'),
            (b'{"stream_options":null}', b'{"stream_options":{"include_usage":true}}'),
            (b'{"stream_options": {} }', b'{"stream_options": {"include_usage":true} }'),
            (b'{"stream_options":{"include_usage":false}}', b'{"stream_options":{"include_usage":true}}'),
            (b'{"stream_options":{"x":1}}', b'{"stream_options":{"include_usage":true,"x":1}}'),
            (b'{"stream_options":[1]}', b'{"stream_options":[1]}'),
        ):
            self.assertEqual(CHAT.ask_usage(before), after)
        for body in (b'{"model":"mistral-large-latest"}', b'{"model":"open-mixtral-8x7b"}', b"[]"):
            self.assertIs(CHAT.ask_usage(body), body)
        self.assertEqual(EMBEDDINGS.ask_usage(b"{}"), b"{}")

    @settings(max_examples=100, deadline=None)
    @given(st.data(), OBJECTS)
    def test_any_body(self, data: st.DataObject, body: dict) -> None:
        """However a body is spelled, what comes out is the same object plus the change."""
        body.pop("stream_options", None)
        body.pop("model", None)
        text = data.draw(spelled(body)).encode("utf-8", "surrogatepass")
        asked = {**body, "stream_options": {"include_usage": True}}
        self.assertEqual(json.loads(CHAT.ask_usage(text)), asked)
        self.assertTrue(CHAT.understand(PATH, CHAT.ask_usage(text)).include_usage)
        self.assertEqual(json.loads(CHAT.fill_model(text, "m\u00fc")), {**body, "model": "m\u00fc"})
        self.assertEqual(CHAT.understand(PATH, CHAT.fill_model(text, "m")).model, "m")

    def test_limit_lowered(self) -> None:
        """The limit the request uses is lowered, never raised, shared among its choices; else one is put in."""
        for before, after in (
            (b'{"max_tokens":100}', b'{"max_tokens":40}'),
            (b'{"max_tokens": 30, "n": 1}', b'{"max_tokens": 30, "n": 1}'),
            (b'{"max_tokens":100,"max_completion_tokens":30}', b'{"max_tokens":40,"max_completion_tokens":30}'),
            (b'{"max_tokens":100,"n":4}', b'{"max_tokens":10,"n":4}'),
            (b'{"model":"gpt-4o"}', b'{"max_tokens":40,"model":"gpt-4o"}'),
            (b'{"model":"openai/o3-mini"}', b'{"max_completion_tokens":40,"model":"openai/o3-mini"}'),
            (b'{"model":"gpt-5.1"}', b'{"max_completion_tokens":40,"model":"gpt-5.1"}'),
            (b'{"max_tokens":"odd"}', b'{"max_tokens":40}'),
            (b"[]", b"[]"),
        ):
            self.assertEqual(CHAT.lower_limit(before, 40), after)
        self.assertEqual(COMPLETION.lower_limit(b'{"model":"gpt-5.1"}', 4), b'{"max_tokens":4,"model":"gpt-5.1"}')
        self.assertEqual(EMBEDDINGS.lower_limit(b"{}", 4), b"{}")


class Answers(SynchronousTestCase):
    """What answers say."""

    def read(self, *events: object) -> Reading:
        """The reading after these events."""
        reading = Reading()
        for event in events:
            CHAT.read_event(event if isinstance(event, bytes) else json.dumps(event).encode(), reading)
        return reading

    def test_end(self) -> None:
        """Only `[DONE]` ends a stream."""
        reading = self.read({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self.assertFalse(reading.terminal or reading.final)
        reading = self.read(b"[DONE]")
        self.assertTrue(reading.terminal and reading.final)

    def test_usage_in_every_chunk(self) -> None:
        """Servers that repeat usage in every chunk are charged the last."""
        reading = self.read(
            *({"usage": {"prompt_tokens": 9, "completion_tokens": n}, "choices": []} for n in (1, 2, 3))
        )
        self.assertEqual(reading.usage, Usage(9, 3, reported_input=9))

    def test_everything_written_counts(self) -> None:
        """Text, reasoning, refusals, calls, old completions and lists of parts count as output."""
        reading = self.read(
            {"choices": [{"delta": {"content": "1234"}}, {"delta": {"reasoning": "12", "content": None}}]},
            {"choices": [{"delta": {"content": [{"type": "text", "text": "abc"}], "refusal": "no"}}]},
            {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "{}"}}, {"index": 1}]}}]},
            {"choices": [{"text": "old"}]},
        )
        self.assertEqual(reading.sent_chars, 4 + 2 + 3 + 4 + 2 + 2 + 3)

    def test_tier(self) -> None:
        """The tier that served the answer is learned."""
        self.assertIs(self.read({"service_tier": "default"}).context, STANDARD)
        self.assertEqual(self.read({"service_tier": "priority"}).context, {"service_tier": "priority"})
        self.assertIsNone(self.read({}).context)

    def test_usage_only_chunks(self) -> None:
        """Only a chunk without choices and with usage is there for usage alone."""
        for data, alone in (
            (b'{"choices":[],"usage":{"prompt_tokens":1}}', True),
            (b'{"choices" : [ ], "usage" : {}}', True),
            (b'{"choices":[],"usage":null}', False),
            (b'{"choices":[],"prompt_filter_results":[]}', False),
            (b'{"choices":[{}],"usage":{"prompt_tokens":1}}', False),
            (b'{"usage":{"prompt_tokens":1}}', False),
            (b"[DONE]", False),
            (b"\xff", False),
        ):
            self.assertIs(CHAT.is_usage_only(data), alone, data)
