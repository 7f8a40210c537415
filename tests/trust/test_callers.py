"""Callers that leave, before a gateway in its own process: the provider is let go at once, and the books say why."""

from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import sse
from tests.governance.books import nano
from tests.harness import listen, until
from tests.peers import STREAM_HEAD, Origin, call_in, chunk, post
from tests.trust.gateway import Gateway, start

WORDS = "said before the caller left " * 10
BEGUN = sse(
    {"type": "message_start", "message": {"model": "priced", "usage": {"input_tokens": 40, "output_tokens": 1}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": WORDS}},
)
ENDED = sse(
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 90}},
    {"type": "message_stop"},
)
CALL = post(
    b"/v1/messages", b'{"model":"priced","stream":true,"max_tokens":500,"messages":[]}', (b"x-agent-id", b"writer")
)
TRIES = 5
PROMPT = 0.05
"""Seconds within which the provider's connection must be closed once the caller has left."""


class CallerTests(TestCase):
    """A provider that the test plays, and callers who leave."""

    timeout = 60

    async def leave(self, gateway: Gateway, origin: Origin, seen: bytes) -> float:
        """Call, leave when that much has come; the seconds until the provider's connection is closed."""
        caller = await call_in(self, gateway.port)
        caller.transport.write(CALL)
        await until(lambda: bytes(caller.answer.body) == seen)
        [visit] = origin.visits
        left = caller.leave()
        return float(await visit.closed) - left

    def test_mid_stream(self) -> Any:
        """Mid-stream: the provider's connection is closed within 50 ms, and what was sent is charged, not what was not."""

        async def scenario() -> None:
            origin = Origin(lambda visit, _: visit.say(STREAM_HEAD + chunk(BEGUN)))
            gateway = await start(self, await listen(self, origin))
            took = [await self.leave(gateway, origin, BEGUN) for _ in range(TRIES)]
            self.assertLess(min(took), PROMPT)
            await gateway.quiet()
            self.assertEqual(len(gateway.records), TRIES)
            for record in gateway.records:
                told = (record["outcome"], record["usage"], record["input_tokens"])
                self.assertEqual(told, ("client_gone", "estimated", 40))
                self.assertTrue(len(WORDS) // 4 <= record["output_tokens"] < 90, record)
                self.assertEqual(nano(record), 40 * 3_000 + record["output_tokens"] * 15_000)
            await gateway.check_books(["writer"])
            await gateway.stop()

        return ensureDeferred(scenario())

    def test_behind_the_last_byte(self) -> Any:
        """Right behind the last byte it is a call like any other: `ok`, with exact usage."""

        async def scenario() -> None:
            origin = Origin(lambda visit, _: visit.say(STREAM_HEAD + chunk(BEGUN), chunk(ENDED)))
            gateway = await start(self, await listen(self, origin))
            for _ in range(TRIES):
                await self.leave(gateway, origin, BEGUN + ENDED)
            await gateway.quiet()
            told = {(one["outcome"], one["usage"], one["output_tokens"], nano(one)) for one in gateway.records}
            self.assertEqual(told, {("ok", "exact", 90, 40 * 3_000 + 90 * 15_000)})
            await gateway.check_books(["writer"])

        return ensureDeferred(scenario())
