"""Tests of Google's dialect."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.demo.doubles import body_of, said

PATH = b"/v1beta/models/gemini-2.5-pro:"
BODY = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


class GoogleTests(SynchronousTestCase):
    """generateContent, its stream, countTokens."""

    def test_whole(self):
        """One response with its candidate and usage."""
        body = body_of(said(PATH + b"generateContent", BODY))
        self.assertEqual((body["modelVersion"], body["candidates"][0]["finishReason"]), ("gemini-2.5-pro", "STOP"))
        self.assertEqual(body["usageMetadata"]["candidatesTokenCount"], 60)

    def test_stream(self):
        """Every chunk repeats the usage so far; the last one stands and says why it stopped."""
        answer = said(PATH + b"streamGenerateContent?alt=sse", BODY | {"generationConfig": {"maxOutputTokens": 20}})
        chunks = [json.loads(line[6:]) for line in answer.split(b"\n") if line.startswith(b"data: ")]
        counts = [chunk["usageMetadata"]["candidatesTokenCount"] for chunk in chunks]
        self.assertEqual((counts[-1], counts), (20, sorted(counts)))
        self.assertEqual(chunks[-1]["candidates"][0]["finishReason"], "MAX_TOKENS")

    def test_tool(self):
        """Asked to use the tool, it does, streamed or whole."""
        tools = [
            {"functionDeclarations": [{"name": "look_up", "parameters": {"properties": {"n": {"type": "INTEGER"}}}}]}
        ]
        body = {"contents": [{"parts": [{"text": "use the tool"}]}], "tools": tools}
        for verb in (b"generateContent", b"streamGenerateContent?alt=sse"):
            self.assertIn(b'{"functionCall":{"name":"look_up","args":{"n":7}}}', said(PATH + verb, body))

    def test_count_tokens(self):
        """Counting tokens is answered."""
        self.assertGreater(body_of(said(PATH + b"countTokens", BODY))["totalTokens"], 0)

    def test_errors(self):
        """Errors have Google's shape, and knobs in the model's name work here too."""
        answer = body_of(said(b"/v1beta/models/gemini-2.5-pro%3Bfault=status-429:generateContent", BODY))
        self.assertEqual((answer["error"]["code"], answer["error"]["status"]), (429, "RESOURCE_EXHAUSTED"))
