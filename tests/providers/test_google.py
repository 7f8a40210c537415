"""Tests of Google's dialect."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import Asked, Reading
from agentgateway.providers.google import EMBED, GENERATE, GOOGLE

PATH = "/v1beta/models/gemini-2.5-pro:generateContent"


class Requests(SynchronousTestCase):
    """What a request says and how it is changed."""

    def test_understood(self) -> None:
        """Model and streaming are in the path, the limit in either spelling, for all candidates together."""
        stream = "/v1beta/models/gemini%2D2.5-pro:streamGenerateContent?alt=sse"
        body = b'{"generationConfig":{"maxOutputTokens":5,"candidateCount":2}}'
        self.assertEqual(GENERATE.understand(stream, body), Asked("gemini-2.5-pro", True, 10, choices=2))
        body = b'{"generation_config":{"max_output_tokens":5},"service_tier":"flex"}'
        self.assertEqual(
            GENERATE.understand(PATH, body), Asked("gemini-2.5-pro", False, 5, False, {"service_tier": "flex"})
        )
        self.assertEqual(GENERATE.understand(PATH, b'{"generationConfig":7}'), Asked("gemini-2.5-pro"))
        self.assertFalse(GENERATE.understand(PATH, b"x").well_formed)

    def test_limit_lowered(self) -> None:
        """The limit is set where the request has it, in its spelling, or put in."""
        for before, after in (
            (b"{}", b'{"generationConfig":{"maxOutputTokens":9}}'),
            (b'{"generationConfig":null}', b'{"generationConfig":{"maxOutputTokens":9}}'),
            (b'{"generationConfig":{"maxOutputTokens":50}}', b'{"generationConfig":{"maxOutputTokens":9}}'),
            (
                b'{"generationConfig":{"candidateCount":3}}',
                b'{"generationConfig":{"maxOutputTokens":3,"candidateCount":3}}',
            ),
            (b'{"generation_config":{"max_output_tokens":50}}', b'{"generation_config":{"max_output_tokens":9}}'),
        ):
            self.assertEqual(GENERATE.lower_limit(before, 9), after)
        self.assertEqual(EMBED.lower_limit(b"{}", 9), b"{}")
        self.assertEqual(GENERATE.fill_model(b"{}", "m"), b"{}")


class Answers(SynchronousTestCase):
    """What answers say."""

    def read(self, *chunks: dict) -> Reading:
        """The reading after these chunks."""
        reading = Reading()
        for chunk in chunks:
            GENERATE.read_event(json.dumps(chunk).encode(), reading)
        return reading

    def test_last_usage_stands(self) -> None:
        """Every chunk repeats usage, the last stands; thoughts are output, tool prompts input."""
        reading = self.read(
            {"usageMetadata": {"promptTokenCount": 5, "thoughtsTokenCount": 9}},
            {
                "usageMetadata": {
                    "promptTokenCount": 5,
                    "toolUsePromptTokenCount": 7,
                    "thoughtsTokenCount": 9,
                    "candidatesTokenCount": 2,
                }
            },
        )
        self.assertEqual(reading.usage, Usage(12, 11, reasoning=9, reported_input=12))

    def test_kinds(self) -> None:
        """Sound, pictures, documents and film are told apart, cached ones taken out of the input."""
        usage = {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 30,
            "candidatesTokenCount": 50,
            "promptTokensDetails": [
                {"modality": "AUDIO", "tokenCount": 20},
                {"modality": "DOCUMENT", "tokenCount": 30},
                {"modality": "VIDEO", "tokenCount": 40},
            ],
            "cacheTokensDetails": [{"modality": "DOCUMENT", "tokenCount": 25}, {"modality": "VIDEO", "tokenCount": 5}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 45}],
        }
        got = self.read({"usageMetadata": usage}).usage
        self.assertEqual((got.input, got.cache_read, got.output), (70, 30, 50))
        self.assertEqual((got.input_audio, got.input_image, got.input_video), (20, 5, 35))
        self.assertEqual((got.cache_read_image, got.output_image), (25, 45))

    def test_more_cached_than_prompted(self) -> None:
        """More cached than there was is set right and makes the usage odd."""
        reading = self.read({"usageMetadata": {"promptTokenCount": 5, "cachedContentTokenCount": 9}})
        self.assertEqual((reading.usage, reading.odd), (Usage(0, 0, 5, reported_input=5), True))

    def test_ends(self) -> None:
        """A reason to finish, or a blocked prompt, says that the end is meant; only the body's end is final."""
        part = {"content": {"parts": [{"text": "abc"}, {"functionCall": {"name": "f", "args": {"x": "yz"}}}]}}
        reading = self.read({"candidates": [part]})
        self.assertEqual((reading.terminal, reading.sent_chars), (False, 6))
        for chunk in ({"candidates": [{"finishReason": "STOP"}]}, {"promptFeedback": {"blockReason": "SAFETY"}}):
            reading = self.read(chunk)
            self.assertEqual((reading.terminal, reading.final), (True, False))
        self.assertTrue(self.read({"error": {"code": 503}}).failed)

    def test_array_cut_off(self) -> None:
        """Of an array that is cut off the last usage in it is found."""
        reading = Reading()
        GENERATE.read_whole(
            b' [{"usageMetadata":{"promptTokenCount":5}},{"usageMetadata":{"promptTokenCount":6}},{"c', reading
        )
        self.assertEqual(reading.usage.input, 6)

    def test_embeddings(self) -> None:
        """Embeddings spell the details differently."""
        reading = Reading()
        details = [{"modality": "IMAGE", "tokenCount": 3}]
        usage = {"promptTokenCount": 5, "promptTokenDetails": details}
        EMBED.read_whole(json.dumps({"usageMetadata": usage}).encode(), reading)
        self.assertEqual((reading.usage.input, reading.usage.input_image, reading.known), (5, 3, True))


class Refusals(SynchronousTestCase):
    """Errors of our own."""

    def test_body_and_event(self) -> None:
        """A refusal has Google's shape and the status it is sent with; in a stream it is an event."""
        body = GOOGLE.refusal(429, "rate_limited", "slow", "c")
        self.assertEqual(json.loads(body), {"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}})
        body = GOOGLE.refusal(413, "bad_request", "big", "c")
        self.assertEqual(json.loads(body)["error"], {"code": 413, "message": "big", "status": "INVALID_ARGUMENT"})
        event = GOOGLE.error_event("upstream_timeout", "late", "c")
        error = json.loads(event.removeprefix(b"data: "))["error"]
        self.assertEqual((error["code"], error["status"], event[-2:]), (504, "DEADLINE_EXCEEDED", b"\n\n"))
        self.assertEqual(json.loads(GOOGLE.error_event("new", "x", "c")[6:])["error"]["status"], "INTERNAL")
