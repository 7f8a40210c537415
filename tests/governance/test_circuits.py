"""Circuit breakers and fallbacks, in front of providers that fail in every way."""

import json
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from agentgateway.domain.moment import Moment
from tests.fixtures import CHAT_STREAM
from tests.governance.books import Wish, account, all_at_once, check_books
from tests.harness import Running, listen, reactor, start_gateway, sweep_often, until
from tests.peers import STREAM_HEAD, Origin, Received, Visit, ask, chunk, closed_port, response

CONFIG = """
gateway: {{port: 0, host: 127.0.0.1, state_dir: {state}}}
providers:
  first: {{api: openai, base_url: "FIRST", api_key: first-key, response_timeout: 0.05}}
  second: {{api: openai, base_url: "SECOND"}}
agents:
  flapping: {{provider: first, circuit_breaker: {{error_threshold: 3, reset_timeout: 20000, half_open_requests: 2}}}}
  careful: {{provider: first, fallback: [second], api_key: agent-key, budget: {{max_cost_total: 1, enforcement: hard}}}}
prices: {{priced: {{input: 3, output: 15}}}}
audit: {{log_file: {state}/audit.jsonl}}
dashboard: false
store: "memory:"
"""
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
GOOD = response(json.dumps({"model": "priced", "choices": [], "usage": USAGE}).encode())
BAD = response(b"{}", status=b"500 Internal Server Error")
SECRETS = (b"Authorization", b"Bearer callers-key"), (b"x-api-key", b"callers-other-key")


class World:
    """A gateway in front of two origins, on a clock that can be moved on."""

    def __init__(self, running: Running, second: Origin) -> None:
        self.running, self.second = running, second
        self.ahead = 0.0
        moment = running.service.live.moment
        running.service.live.moment = lambda: self._moved(moment())

    def _moved(self, now: Moment) -> Moment:
        return Moment(now.monotonic + self.ahead, now.wall + self.ahead)


async def world(testcase: Any, script: Any, second: Any = lambda visit, got: visit.say(GOOD), first: str = "") -> World:
    """Both origins play their scripts; `first` is the URL of one that is not there at all."""
    other = Origin(second)
    port = await listen(testcase, other)
    testcase.addCleanup(until, lambda: not other.visits)
    config = CONFIG.replace("FIRST", first or "{provider}").replace("SECOND", f"http://127.0.0.1:{port}")
    running = await start_gateway(testcase, config, Origin(script))
    return World(running, other)


class CircuitTests(TestCase):
    """A provider that fails is left alone, and tried again with care."""

    def test_flapping(self) -> Any:
        """Errors open the circuit, which says when to come back; then so many probes at once and no more; then it heals."""

        async def scenario() -> None:
            waiting: list[Visit] = []
            mode = ["fail"]

            def script(visit: Visit, request: Received) -> None:
                if mode[0] == "fail":
                    visit.say(BAD)
                elif mode[0] == "hold":
                    waiting.append(visit)
                else:
                    visit.say(GOOD)

            here = await world(self, script)
            running, wish = here.running, Wish("flapping", "openai")
            for _ in range(3):
                self.assertEqual((await all_at_once(self, running, [wish]))[0].status, 500)
            [refused] = await all_at_once(self, running, [wish])
            self.assertEqual((refused.status, refused.one(b"x-agentgateway-reason")), (503, "circuit_open"))
            self.assertEqual(refused.one(b"x-should-retry"), "true")
            self.assertTrue(18 <= int(refused.one(b"retry-after")) <= 20)
            self.assertEqual(len(running.origin.requests), 3)
            for state in ("fail", "good"):
                here.ahead += 20
                mode[0] = "hold"
                probing = all_at_once(self, running, [wish] * 10)
                await until(lambda: len(waiting) == 2)
                await until(lambda: sum(one["reason"] == "circuit_open" for one in running.records) >= 8)
                mode[0] = state
                for visit in waiting:
                    visit.say(BAD if state == "fail" else GOOD)
                waiting.clear()
                statuses = sorted(answer.status for answer in await probing)
                self.assertEqual(statuses, [500, 500, *[503] * 8] if state == "fail" else [200, 200, *[503] * 8])
            answers = await all_at_once(self, running, [wish] * 10)
            self.assertEqual({answer.status for answer in answers}, {200})

        return ensureDeferred(scenario())


class FallbackTests(TestCase):
    """Another provider takes over while nothing has reached the caller."""

    async def falls_back(self, here: World) -> None:
        """One call is answered by the second provider: one record, one reservation, and the first one's circuit told."""
        wish = Wish("careful", "openai", fields=SECRETS)
        held: list[int] = []
        script = here.second.script

        def watched(visit: Visit, request: Received) -> None:
            held.append(len(account(here.running, "careful").open))
            script(visit, request)

        here.second.script = watched
        [answer] = await all_at_once(self, here.running, [wish])
        self.assertEqual(answer.status, 200)
        [record] = here.running.records
        self.assertEqual((record["provider"], record["status"], record["outcome"]), ("second", 200, "ok"))
        self.assertEqual(held, [1])
        check_books(self, here.running, ["careful"])
        agent = here.running.service.live.fleet.get("careful")
        assert agent is not None
        now = here.running.service.live.moment().monotonic
        self.assertEqual([agent.breaker(name).errors(now) for name in ("first", "second")], [1, 0])
        [request] = here.second.requests
        everything = b"\n".join(name + b": " + value for name, value in request.fields)
        for secret in (b"agent-key", b"first-key", b"callers-key", b"callers-other-key"):
            self.assertNotIn(secret, everything)

    def test_connection_refused(self) -> Any:
        """Nobody listens at the first."""

        async def scenario() -> None:
            url = f"http://127.0.0.1:{closed_port()}"
            await self.falls_back(await world(self, lambda visit, got: None, first=url))

        return ensureDeferred(scenario())

    def test_statuses(self) -> Any:
        """The first is overloaded, or broken."""

        async def scenario() -> None:
            for status in (b"429 Too Many Requests", b"500 Internal Server Error", b"503 Service Unavailable"):
                answer = response(b"{}", status=status)
                await self.falls_back(await world(self, lambda visit, got, answer=answer: visit.say(answer)))

        return ensureDeferred(scenario())

    def test_time_out(self) -> Any:
        """The first says nothing in time: what it may have begun is in the cost of the one call."""

        async def scenario() -> None:
            here = await world(self, lambda visit, got: None)
            sweep_often(self, here.running)
            await self.falls_back(here)
            [record] = here.running.records
            self.assertGreater(round(record["cost_usd"] * 10**9), 10 * 3_000 + 5 * 15_000)

        return ensureDeferred(scenario())

    def test_both_fail(self) -> Any:
        """Where all fail the last one's answer goes to the caller, and both circuits know."""

        async def scenario() -> None:
            here = await world(self, lambda visit, got: visit.say(BAD), lambda visit, got: visit.say(BAD))
            [answer] = await all_at_once(self, here.running, [Wish("careful", "openai")])
            self.assertEqual(answer.status, 500)
            self.assertEqual([record["provider"] for record in here.running.records], ["second"])
            self.assertEqual(check_books(self, here.running, ["careful"]), 0)

        return ensureDeferred(scenario())

    def test_never_after_the_first_byte(self) -> Any:
        """A stream that breaks off after it began is not begun anew elsewhere."""

        async def scenario() -> None:
            def half(visit: Visit, request: Received) -> None:
                visit.transport.write(STREAM_HEAD + chunk(CHAT_STREAM.answer[:200]))
                reactor.callLater(0.01, visit.transport.abortConnection)

            here = await world(self, half)
            raw = Wish("careful", "openai", stream=True).raw
            answer = await ask(self, here.running.port, raw)
            self.assertFalse(answer.ended)
            self.assertEqual(here.second.requests, [])
            self.assertEqual([record["outcome"] for record in here.running.records], ["truncated"])

        return ensureDeferred(scenario())

    def test_no_room_for_another(self) -> Any:
        """Under `hard` a second provider is not tried where the first one's loss leaves no room for its worst case."""

        async def scenario() -> None:
            here = await world(self, lambda visit, got: None)
            sweep_often(self, here.running)
            wish = Wish("careful", "openai")
            body = len(wish.raw.partition(b"\r\n\r\n")[2])
            agent = here.running.service.live.fleet.get("careful")
            assert agent is not None
            cap = body * 6_000 + 50 * 15_000
            agent.account.set_caps(agent.config.budget.__class__(max_cost_total=cap + 10, enforcement="hard"))
            [answer] = await all_at_once(self, here.running, [wish])
            self.assertEqual((answer.status, here.second.requests), (504, []))
            self.assertLessEqual(check_books(self, here.running, ["careful"]), cap)

        return ensureDeferred(scenario())
