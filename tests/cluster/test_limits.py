"""Rates, calls at once, pauses and circuits hold for all processes of a fleet together."""

import json
import os
import random
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from tests.cluster.members import Members, members
from tests.cluster.processes import start_members
from tests.cluster.test_faults import pause
from tests.governance.books import Wish
from tests.harness import reactor, until
from tests.peers import ask, post

SECONDS = float(os.environ.get("RATE_SECONDS", "5"))
SOON = 0.2
"""Seconds in which everybody knows."""
AGENTS = """
  fast: {{rate_limit: "100/s"}}
"""
FLEET = """
  slow: {{rate_limit: "5/min"}}
  narrow: {{max_concurrency: 2}}
  wordy: {{token_limit: "1000/min"}}
  bound: {{rate_limit: "100/s", token_limit: "100000/min", max_concurrency: 8, budget: {{max_cost_per_day: 100}}}}
  busy: {{}}
  fragile: {{circuit_breaker: {{error_threshold: 4}}}}
policies:
  - {{name: enough, condition: "calls_this_hour >= 6", action: pause, agents: [busy]}}
"""


class RateTests(TestCase):
    """A rate over four processes."""

    timeout = 90

    def test_hundred(self) -> Any:
        """Of twice as many calls, spread over four processes, 100 a second pass, give or take five in a hundred."""

        async def scenario() -> None:
            _, gateways = await start_members(self, AGENTS)
            begun, calls, passed = reactor.seconds(), [], []

            async def call(number: int) -> None:
                answer = await gateways[number % 4].call(Wish("fast", size=10, output=5, chunks=1))
                if answer is not None and answer.status == 200:
                    passed.append(reactor.seconds() - begun)

            def some() -> None:
                due = int((reactor.seconds() - begun) * 200)
                while len(calls) < due:
                    calls.append(ensureDeferred(call(len(calls))))

            calling = LoopingCall(some)
            calling.start(0.01)
            await pause(SECONDS + 1.5)
            calling.stop()
            await gatherResults(calls)
            steady = [at for at in passed if 1.5 <= at < 1.5 + SECONDS]
            print(f"{len(calls)} calls, {len(passed)} passed, {len(steady) / SECONDS:.1f} a second")
            self.assertLessEqual(abs(len(steady) - 100 * SECONDS), 5 * SECONDS)

        return ensureDeferred(scenario())


class FleetTests(TestCase):
    """What one process decides or learns holds for the others."""

    timeout = 60

    def states(self, fleet: Members, agent: str) -> list[Any]:
        """An agent as each process has it."""
        return [one.service.live.fleet.get(agent) for one in fleet.gateways]

    async def command(self, fleet: Members, which: int, path: str, body: dict[str, Any]) -> None:
        """An operator's order to one of the gateways."""
        running = fleet.gateways[which]
        token = (b"Authorization", b"Bearer " + running.service.desk.token.secret.value.encode())
        method = b"PUT" if path.startswith("/api/budget") else b"POST"
        raw = post(path.encode(), json.dumps(body).encode(), token).replace(b"POST", method, 1)
        answer = await ask(self, running.port, raw)
        self.assertEqual(answer.status, 200, answer.body)

    def test_few(self) -> Any:
        """Of forty calls at once, at four processes, exactly five pass 5/min; the others are told when to come again."""

        async def scenario() -> None:
            fleet = await members(self, FLEET)
            answers = await fleet.call([Wish("slow")] * 40)
            statuses = [answer.status for answer in answers]
            self.assertEqual((statuses.count(200), statuses.count(429)), (5, 35))
            for answer in answers:
                if answer.status == 429:
                    self.assertTrue(1 <= int(answer.one(b"retry-after")) <= 12)

        return ensureDeferred(scenario())

    def test_every_limit(self) -> Any:
        """A call that needs something of each limit gets all of it, also as the very first."""

        async def scenario() -> None:
            fleet = await members(self, FLEET)
            for number in range(8):
                answers = await fleet.call([Wish("bound")], random.Random(number))
                self.assertEqual([answer.status for answer in answers], [200])

        return ensureDeferred(scenario())

    def test_calls_at_once(self) -> Any:
        """No more than two calls are under way at once, whichever process they come to; and places come back."""

        async def scenario() -> None:
            fleet = await members(self, FLEET)
            most = 0

            def look() -> None:
                nonlocal most
                most = max(most, sum(state.in_flight for state in self.states(fleet, "narrow")))

            looking = LoopingCall(look)
            looking.start(0.005)
            self.addCleanup(looking.stop)
            slow = ((b"x-standin-interval", b"0.05"),)
            answers = await fleet.call([Wish("narrow", stream=True, fields=slow)] * 20)
            statuses = [answer.status for answer in answers]
            self.assertEqual((statuses.count(200), statuses.count(429), most), (2, 18, 2))
            for index in range(4):
                await pause(SOON)
                answers = await fleet.call([Wish("narrow")], random.Random(index))
                self.assertEqual([answer.status for answer in answers], [200])

        return ensureDeferred(scenario())

    def test_pause(self) -> Any:
        """An operator's pause, a resumption and other caps reach all processes within a fifth of a second."""

        async def scenario() -> None:
            fleet = await members(self, FLEET)
            await self.command(fleet, 0, "/api/agents/slow/pause", {"reason": "enough"})
            await until(lambda: all(state.pause is not None for state in self.states(fleet, "slow")), SOON)
            [answer] = await fleet.call([Wish("slow")])
            self.assertEqual((answer.status, answer.one(b"x-agentgateway-reason")), (403, "agent_paused"))
            await self.command(fleet, 2, "/api/agents/slow/resume", {})
            await until(lambda: all(state.pause is None for state in self.states(fleet, "slow")), SOON)
            await self.command(fleet, 1, "/api/budget/slow", {"max_cost_per_day": 3})
            day = 3 * 10**9
            await until(lambda: {state.budget.max_cost_per_day for state in self.states(fleet, "slow")} == {day}, SOON)

        return ensureDeferred(scenario())

    def test_policy(self) -> Any:
        """A policy goes by what all processes count: six calls are enough, wherever they came."""

        async def scenario() -> None:
            fleet = await members(self, FLEET)
            for number in range(6):
                answers = await fleet.call([Wish("busy")], random.Random(number))
                self.assertEqual([answer.status for answer in answers], [200])
            await until(lambda: all(state.pause is not None for state in self.states(fleet, "busy")), 3.5)
            texts = [
                alert.text for one in fleet.gateways for alert in one.service.alerts.recent if alert.kind == "pause"
            ]
            self.assertEqual(len(texts), 1)

        return ensureDeferred(scenario())

    def test_circuit(self) -> Any:
        """Four errors open the circuit in all processes, wherever they happened."""

        async def scenario() -> None:
            fleet = await members(self, FLEET)
            broken = ((b"x-standin-fault", b"status-500"),)
            for number in range(4):
                await fleet.call([Wish("fragile", fields=broken)], random.Random(number))
            states = self.states(fleet, "fragile")

            def opened() -> bool:
                now = fleet.gateways[0].service.live.moment().monotonic
                return all(state.breaker("anthropic").state(now) == "open" for state in states)

            await until(opened, SOON + 0.1)

        return ensureDeferred(scenario())
