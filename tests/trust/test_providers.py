"""Providers that close too early or take their time: nobody pays twice, and whoever gives a sign of life is waited for."""

from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import ANTHROPIC_STREAM, ANTHROPIC_WHOLE
from tests.harness import listen, reactor, until
from tests.peers import STREAM_HEAD, Origin, Received, Visit, ask, call_in, chunk, post, response
from tests.trust.gateway import CONFIG, start

IMPATIENT = CONFIG.replace("base_url", "silence_timeout: 1, base_url")
ERRORS = 4
WARY = CONFIG.replace("error_threshold: 1000000", f"error_threshold: {ERRORS}")
SIGNS = {"comments": b": still here\n\n", "pings": b'event: ping\ndata: {"type": "ping", "still": "here"}\n\n'}
EVERY, TIMES = 0.4, 6
"""Seconds between two signs, and how many: more than twice the silence that is put up with."""
CALL = post(ANTHROPIC_WHOLE.path.encode(), ANTHROPIC_WHOLE.request, (b"x-agent-id", b"writer"))


class Closing:
    """A provider's script: answers the first call on each connection, and closes on the second without a word."""

    def __init__(self, first: bool = False) -> None:
        """`first`: closes on every call."""
        self.first = first
        self.answered = 0

    def __call__(self, visit: Visit, request: Received) -> None:
        """One more call."""
        if self.first or getattr(visit, "used", False):
            visit.transport.loseConnection()
            return
        visit.used = True  # type: ignore[attr-defined]
        self.answered += 1
        visit.say(response(ANTHROPIC_WHOLE.answer))


class ProviderTests(TestCase):
    """A gateway in its own process before a provider that the test plays."""

    timeout = 60

    async def setting(self, script: Any, config: str = CONFIG) -> Any:
        """The gateway and its provider."""
        origin = Origin(script)
        return await start(self, await listen(self, origin), config), origin

    def test_dead_connection(self) -> Any:
        """A kept connection that turns out closed is tried once more on a fresh one: one call, one answer, one charge."""

        async def scenario() -> None:
            script = Closing()
            gateway, origin = await self.setting(script)
            answers = [await ask(self, gateway.port, CALL) for _ in range(4)]
            self.assertEqual([answer.status for answer in answers], [200] * 4)
            self.assertEqual((script.answered, len(origin.requests)), (4, 7))
            self.assertEqual([record["outcome"] for record in gateway.records], ["ok"] * 4)
            self.assertEqual(len({record["cost_usd"] for record in gateway.records}), 1)
            await gateway.check_books(["writer"])

        return ensureDeferred(scenario())

    def test_fresh_connection(self) -> Any:
        """On a fresh connection that is a 502, and nothing is sent a second time."""

        async def scenario() -> None:
            gateway, origin = await self.setting(Closing(True))
            for count in range(1, 4):
                answer = await ask(self, gateway.port, CALL)
                self.assertEqual((answer.status, answer.one(b"x-agentgateway-reason")), (502, "upstream_unreachable"))
                self.assertEqual(len(origin.requests), count)
            self.assertEqual([record["outcome"] for record in gateway.records], ["upstream_error"] * 3)

        return ensureDeferred(scenario())

    def test_broken_streams(self) -> Any:
        """Streams that are reset, or end without their last event, never end well, are charged in part, and count as errors."""

        async def scenario() -> None:
            gateway, origin = await self.setting(lambda visit, request: visit.say(STREAM_HEAD + half()), WARY)
            raw = post(b"/v1/messages", ANTHROPIC_STREAM.request, (b"x-agent-id", b"writer"))
            for number in range(ERRORS):
                caller = await call_in(self, gateway.port)
                caller.transport.write(raw)
                await until(lambda caller=caller: b"data:" in caller.answer.body)
                visit = origin.visits[-1]
                if number % 2:
                    visit.transport.abortConnection()
                else:
                    visit.say(chunk(b""))  # the end of the body, but not of the message
                await caller.closed
                answer = caller.answer
                self.assertEqual((answer.ended, answer.body.count(b"event: error")), (False, 1), bytes(answer.body))
            refused = await ask(self, gateway.port, raw)
            self.assertEqual((refused.status, refused.one(b"x-agentgateway-reason")), (503, "circuit_open"))
            self.assertEqual(len(origin.requests), ERRORS)
            broken = [record for record in gateway.records if record["reason"] != "circuit_open"]
            self.assertEqual([(one["outcome"], one["usage"]) for one in broken], [("truncated", "estimated")] * ERRORS)
            self.assertGreater(min(one["cost_usd"] for one in broken), 0)
            circuit = (await gateway.agent("writer"))["circuit_breaker"]
            self.assertEqual((circuit["state"], circuit["errors"]), ("open", ERRORS))
            await gateway.check_books(["writer"])
            await gateway.stop()

        return ensureDeferred(scenario())

    def test_signs_of_life(self) -> Any:
        """Comments and pings count as life: a stream that has nothing else to say for a while goes on to its end."""

        async def scenario() -> None:
            gateway, _ = await self.setting(slowly, IMPATIENT)
            for name, sign in SIGNS.items():
                fields = ((b"x-agent-id", b"writer"), (b"x-sign", name.encode()))
                answer = await ask(self, gateway.port, post(b"/v1/messages", ANTHROPIC_STREAM.request, *fields))
                self.assertEqual((answer.status, answer.ended, answer.body.count(sign)), (200, True, TIMES))
                record = gateway.records[-1]
                self.assertEqual((record["outcome"], record["usage"]), ("ok", "exact"))

        return ensureDeferred(scenario())

    def test_no_sign(self) -> Any:
        """Without any the stream is cut when `silence_timeout` is over, ends with an error, and is charged in part."""

        async def scenario() -> None:
            gateway, origin = await self.setting(lambda visit, request: visit.say(STREAM_HEAD + half()), IMPATIENT)
            raw = post(b"/v1/messages", ANTHROPIC_STREAM.request, (b"x-agent-id", b"writer"))
            answer = await ask(self, gateway.port, raw)
            self.assertEqual((answer.status, answer.ended), (200, False))
            self.assertIn(b"event: error", answer.body)
            [record] = gateway.records
            self.assertEqual((record["outcome"], record["usage"]), ("truncated", "estimated"))
            self.assertGreater(record["cost_usd"], 0)
            await until(lambda: not origin.visits)

        return ensureDeferred(scenario())


def half() -> bytes:
    """The first half of a stream, up to the end of an event."""
    whole = ANTHROPIC_STREAM.answer
    return chunk(whole[: whole.index(b"\n\n", len(whole) // 2) + 2])


def slowly(visit: Visit, request: Received) -> None:
    """Half of a stream, then signs of life alone, then the rest."""
    [name] = request.all(b"x-sign")
    first = half()
    rest = ANTHROPIC_STREAM.answer[len(first.partition(b"\r\n")[2]) - 2 :]
    parts = [*[chunk(SIGNS[name.decode()])] * TIMES, chunk(rest) + chunk(b"")]
    visit.say(STREAM_HEAD + first)
    for number, part in enumerate(parts, 1):
        reactor.callLater(EVERY * number, visit.say, part)
