"""A provider whose usage makes no sense: the answer goes through, the call is settled by estimate, never free."""

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import sse
from tests.governance.books import nano
from tests.harness import listen
from tests.peers import STREAM_HEAD, Origin, Received, Visit, ask, chunk, post, response
from tests.trust.gateway import start

TEXT = "a word " * 40
ODD = (
    b"",
    b"null",
    b"7",
    b'"lots"',
    b"[]",
    b"{}",
    b'[{"IN":1,"OUT":2}]',
    b'{"IN":null,"OUT":null}',
    b'{"IN":-5,"OUT":-7}',
    b'{"IN":10,"OUT":-1000000}',
    b'{"IN":"10","OUT":"20"}',
    b'{"IN":10.5,"OUT":0.25}',
    b'{"IN":1e999,"OUT":1e999}',
    b'{"IN":-1e999,"OUT":NaN}',
    b'{"IN":true,"OUT":false}',
    b'{"IN":10,"OUT":{"OUT":20}}',
    b'{"IN":[10],"OUT":[20]}',
    b'{"IN":999999999999999999999999,"OUT":1}',
    b'{"IN":%b,"OUT":1}' % (b"9" * 5000),
    b'{"usage":{"IN":10,"OUT":20}}',
    b'{"IN":10,"OUT":20,"CACHED":-4}',
    b'{"IN":10,"OUT":20,"CACHED":"4"}',
    b"[" * 3000 + b"]" * 3000,
    b'{"IN":',
)
ABOVE = b'{"IN":10,"OUT":20,"prompt_tokens_details":{"cached_tokens":5000},"cachedContentTokenCount":5000}'
"""More read from the cache than there was to read: nothing is counted below zero."""
WORDS = {
    "anthropic": ("usage", "input_tokens", "output_tokens", "cache_read_input_tokens"),
    "openai": ("usage", "prompt_tokens", "completion_tokens", "prompt_cache_hit_tokens"),
    "google": ("usageMetadata", "promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount"),
}
"""Its name, and those of input, output and what was read from a cache."""
PATHS = {
    "anthropic": b"/v1/messages",
    "openai": b"/v1/chat/completions",
    "google": b"/v1beta/models/priced:%b",
}


def said(api: str, usage: bytes) -> bytes:
    """`, "usage": ...` in the words of a dialect; nothing for no usage."""
    name, *words = (word.encode() for word in WORDS[api])
    for plain, word in zip((b"IN", b"OUT", b"CACHED"), words, strict=True):
        usage = usage.replace(b'"%b"' % plain, b'"%b"' % word)
    return b',"%b":%b' % (name, usage) if usage else b""


def whole(api: str, usage: bytes) -> bytes:
    """The body of an answer."""
    value: dict[str, Any] = {
        "anthropic": {"type": "message", "model": "priced", "content": [{"type": "text", "text": TEXT}]},
        "openai": {"model": "priced", "choices": [{"message": {"content": TEXT}}]},
        "google": {"modelVersion": "priced", "candidates": [{"content": {"parts": [{"text": TEXT}]}}]},
    }[api]
    return json.dumps(value).encode()[:-1] + said(api, usage) + b"}"


def stream(api: str, usage: bytes) -> bytes:
    """The same, streamed."""
    more = said(api, usage)
    if api == "anthropic":
        begin = b'data: {"type":"message_start","message":{"model":"priced"%b}}\n\n' % more
        text = sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}})
        delta = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}%b}\n\n' % more
        return begin + text + delta + sse({"type": "message_stop"})
    if api == "openai":
        text = sse({"model": "priced", "choices": [{"index": 0, "delta": {"content": TEXT}}]})
        return text + b'data: {"model":"priced","choices":[{"delta":{}}]%b}\n\n' % more + b"data: [DONE]\n\n"
    last = b'{"modelVersion":"priced","candidates":[{"content":{"parts":[{"text":"%b"}]},"finishReason":"STOP"}]%b}'
    return b"data: " + last % (TEXT.encode(), more) + b"\n\n"


class OddUsageTests(TestCase):
    """One gateway, and a provider that answers each call with another usage."""

    timeout = 60

    async def calls(self, make: Callable[[str, bytes], bytes], streamed: bool) -> None:
        """Every odd usage in every dialect: the bytes pass, and each call costs something, by estimate."""
        bodies: list[bytes] = []

        def script(visit: Visit, received: Received) -> None:
            body = bodies[-1]
            visit.say(*((STREAM_HEAD, chunk(body), chunk(b"")) if streamed else (response(body),)))

        gateway = await start(self, await listen(self, Origin(script)))
        action = b"streamGenerateContent?alt=sse" if streamed else b"generateContent"
        asked = json.dumps({"model": "priced", "max_tokens": 500, "stream": streamed, "messages": ["hello"]}).encode()
        for api, path in PATHS.items():
            for usage in (*ODD, ABOVE):
                what = f"{api} {usage[:80]!r}"
                bodies.append(make(api, usage))
                target = path % action if b"%" in path else path
                answer = await ask(self, gateway.port, post(target, asked, (b"x-agent-id", api.encode())))
                self.assertEqual((answer.status, answer.ended, bytes(answer.body)), (200, True, bodies[-1]), what)
                record = gateway.records[-1]
                counts = [value for name, value in record.items() if name.endswith("_tokens")]
                self.assertTrue(all(count is None or count >= 0 for count in counts), (what, record))
                self.assertGreater(nano(record), 0, (what, record))
                self.assertLess(nano(record), 10**9, (what, record))
                if usage is not ABOVE:
                    self.assertEqual(record["usage"], "estimated", (what, record))
                    self.assertGreaterEqual(nano(record), 15_000 * len(TEXT) // 4, (what, record))
        await gateway.check_books(list(PATHS))
        await gateway.stop()
        self.assertNotIn("the meter failed", gateway.said)

    def test_whole(self) -> Any:
        """In answers that come whole."""
        return ensureDeferred(self.calls(whole, False))

    def test_streamed(self) -> Any:
        """In streams."""
        return ensureDeferred(self.calls(stream, True))

    def test_torn(self) -> Any:
        """An answer that breaks off half-way is charged for the text that came, though it is no JSON any more."""

        async def scenario() -> None:
            def script(visit: Visit, received: Received) -> None:
                visit.transport.write(response(whole(bodies[-1], b""))[:-3])
                visit.transport.loseConnection()

            bodies: list[str] = []
            gateway = await start(self, await listen(self, Origin(script)))
            for api, path in PATHS.items():
                bodies.append(api)
                target = path % b"generateContent" if b"%" in path else path
                answer = await ask(self, gateway.port, post(target, b'{"model":"priced","messages":["hello"]}'))
                self.assertEqual((answer.status, answer.ended), (200, False), api)
                record = gateway.records[-1]
                self.assertEqual((record["outcome"], record["usage"]), ("truncated", "estimated"), api)
                self.assertGreaterEqual(nano(record), 15_000 * len(TEXT) // 4, api)

        return ensureDeferred(scenario())
