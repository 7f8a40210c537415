"""Rate limits, token limits and calls at once: exact for calls that come together, and refusals that cost nothing."""

import json
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.governance.books import Ahead, Wish, account, all_at_once, check_books, config
from tests.harness import Running, start_gateway, until
from tests.peers import Answer, ask, post, request

AGENTS = """
  slow: {{rate_limit: "5/min", budget: {{max_cost_per_hour: 10}}}}
  wordy: {{token_limit: "1000/min"}}
  narrow: {{max_concurrency: 2}}
  both: {{rate_limit: "60/min", token_limit: "100/min"}}
  tired: {{}}
  broke: {{budget: {{max_cost_total: 0, enforcement: hard}}}}
"""
POLICIES = """
policies:
  - {{name: calm, condition: "calls_this_hour >= 2", action: throttle, params: {{rate: "1/min"}}, agents: [tired]}}
"""


class LimitTests(TestCase):
    """Limits of calls."""

    async def start(self) -> tuple[Running, Ahead]:
        """A gateway and its clock."""
        running = await start_gateway(self, config(AGENTS, POLICIES))
        return running, Ahead(running)

    async def one(self, running: Running, agent: str, **more: Any) -> Answer:
        """One call."""
        [answer] = await all_at_once(self, running, [Wish(agent, **more)])
        return answer

    def test_rate(self) -> Any:
        """Of many calls at once exactly five pass `5/min`; the others learn when the next would pass, and consume nothing."""

        async def scenario() -> None:
            running, clock = await self.start()
            answers = await all_at_once(self, running, [Wish("slow")] * 40)
            passed = [answer for answer in answers if answer.status == 200]
            refused = [answer for answer in answers if answer.status == 429]
            self.assertEqual((len(passed), len(refused)), (5, 35))
            for answer in refused:
                self.assertEqual(answer.one(b"x-agentgateway-reason"), "rate_limited")
                self.assertEqual(answer.one(b"x-should-retry"), "true")
                self.assertEqual(answer.one(b"retry-after"), "12")
                self.assertEqual(answer.one(b"ratelimit-limit"), "5")
                self.assertEqual(answer.one(b"ratelimit-remaining"), "0")
                self.assertTrue(58 <= int(answer.one(b"ratelimit-reset")) <= 60)
                self.assertTrue(answer.one(b"x-agentgateway-budget-remaining"))
            self.assertEqual(account(running, "slow").life.calls, 5)
            check_books(self, running, ["slow"])
            clock.go(11.0)
            self.assertEqual((await self.one(running, "slow")).status, 429)
            clock.go(1.0)
            self.assertEqual((await self.one(running, "slow")).status, 200)
            self.assertEqual((await self.one(running, "slow")).status, 429)

        return ensureDeferred(scenario())

    def test_tokens(self) -> Any:
        """Tokens are taken by estimate and put right after; more than was thought is a debt that delays the next call."""

        async def scenario() -> None:
            running, clock = await self.start()
            more = (b"x-standin-output", b"3000")
            self.assertEqual((await self.one(running, "wordy", output=3000, fields=(more,))).status, 200)
            agent = running.service.live.fleet.get("wordy")
            assert agent is not None and agent.tokens is not None
            used = account(running, "wordy").life.tokens
            self.assertGreater(used, 3000)
            debt = agent.tokens.debt(clock.now().monotonic)
            self.assertTrue(used - 1000 - 20 <= debt <= used - 1000)
            refused = await self.one(running, "wordy", output=100)
            self.assertEqual(refused.status, 429)
            wait = int(refused.one(b"retry-after"))
            clock.go(wait - 2)
            self.assertEqual((await self.one(running, "wordy", output=100)).status, 429)
            clock.go(2)
            self.assertEqual((await self.one(running, "wordy", output=100)).status, 200)

        return ensureDeferred(scenario())

    def test_failed_calls_give_tokens_back(self) -> Any:
        """A call that its provider refuses has used no tokens."""

        async def scenario() -> None:
            running, clock = await self.start()
            agent = running.service.live.fleet.find("wordy", clock.now())
            assert agent is not None and agent.tokens is not None
            failing = (b"x-standin-fault", b"status-500")
            self.assertEqual((await self.one(running, "wordy", fields=(failing,))).status, 500)
            self.assertEqual(agent.tokens.available(clock.now().monotonic), 1000)

        return ensureDeferred(scenario())

    def test_the_longest_wait(self) -> Any:
        """Where two limits are used up, `retry-after` is that of the one that takes longer: before, no call would pass."""

        async def scenario() -> None:
            running, clock = await self.start()
            agent = running.service.live.fleet.find("both", clock.now())
            assert agent is not None and agent.tokens is not None and agent.bucket is not None
            agent.bucket.charge(clock.now().monotonic, 60)
            agent.tokens.charge(clock.now().monotonic, 150)
            refused = await self.one(running, "both", output=20)
            self.assertGreater(int(refused.one(b"retry-after")), 30)

        return ensureDeferred(scenario())

    def test_calls_at_once(self) -> Any:
        """No more calls run together than `max_concurrency`; when one ends another may begin."""

        async def scenario() -> None:
            running, _ = await self.start()
            slow = (b"x-standin-delay", b"0.1")
            answers = await all_at_once(self, running, [Wish("narrow", fields=(slow,))] * 10)
            self.assertEqual(sorted(answer.status for answer in answers), [200] * 2 + [429] * 8)
            self.assertEqual((await self.one(running, "narrow")).status, 200)

        return ensureDeferred(scenario())

    def test_policy_throttles(self) -> Any:
        """A policy that throttles refuses as a rate limit, once its condition holds."""

        async def scenario() -> None:
            running, clock = await self.start()
            statuses = [(await self.one(running, "tired")).status for _ in range(4)]
            self.assertEqual(statuses, [200, 200, 200, 429])
            clock.go(61)
            self.assertEqual((await self.one(running, "tired")).status, 200)

        return ensureDeferred(scenario())

    def test_refusals_by_dialect(self) -> Any:
        """A refusal has the shape of the path's dialect, so that its SDK raises what it should."""

        async def scenario() -> None:
            running, _ = await self.start()
            broke = (b"x-agent-id", b"broke")
            body = {"model": "priced", "max_tokens": 9, "messages": []}
            bodies = []
            for path in (b"/v1/messages", b"/v1/chat/completions", b"/v1beta/models/priced:generateContent"):
                answer = await ask(self, running.port, post(path, json.dumps(body).encode(), broke))
                self.assertEqual((answer.status, answer.one(b"x-should-retry")), (402, "false"))
                self.assertEqual(answer.all(b"retry-after"), [])
                self.assertIn(b"$0", bytes(answer.body))
                bodies.append(json.loads(bytes(answer.body)))
            anthropic, openai, google = bodies
            self.assertEqual((anthropic["type"], anthropic["error"]["type"]), ("error", "billing_error"))
            self.assertEqual(openai["error"]["code"], "insufficient_quota")
            self.assertEqual(google["error"]["code"], 402)

        return ensureDeferred(scenario())

    def test_free_calls(self) -> Any:
        """Counting tokens and listing models is never refused for want of money."""

        async def scenario() -> None:
            running, _clock = await self.start()
            broke = (b"x-agent-id", b"broke")
            refused = await ask(self, running.port, post(b"/v1/messages", b'{"model":"priced","max_tokens":1}', broke))
            self.assertEqual(refused.status, 402)
            agent = running.service.live.fleet.get("broke")
            assert agent is not None and agent.pause is not None
            for raw in (
                post(b"/v1/messages/count_tokens", b'{"model":"priced","messages":[]}', broke),
                request(b"GET", b"/v1/models", None, broke),
            ):
                self.assertEqual((await ask(self, running.port, raw)).status, 200)
            await until(lambda: running.quiet)
            check_books(self, running, ["broke"])

        return ensureDeferred(scenario())
