"""Processes that are killed, stopped and cut off while they spend from the same budgets."""

import json
import os
import random
from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.cluster.processes import Member, start_members
from tests.governance.books import Wish, nano
from tests.harness import reactor, until
from tests.peers import ask, request

ROUNDS = int(os.environ.get("ROUNDS", "10"))
SEED = int(os.environ.get("SEED", "20261123"))
LENGTH = 1.2
"""Seconds of a round."""
GONE = 12.0
"""Seconds after which the others take a process for gone."""
CALLERS = 6
"""Who call one gateway at the same time."""
CAP = 60_000_000
AGENTS = f'  "*": {{{{budget: {{{{max_cost_total: {CAP / 10**9}, enforcement: hard}}}}}}}}\n'
KEPT = 12
"""Rounds for which an agent is called."""


async def pause(seconds: float) -> None:
    """Let time pass."""
    waiting: Deferred[None] = Deferred()
    reactor.callLater(seconds, waiting.callback, None)
    await waiting


class FaultTests(TestCase):
    """Under `hard` no cap is ever passed, whatever happens to whom."""

    timeout = 120 + 6 * ROUNDS

    def setUp(self) -> None:
        """Nothing is wrong yet."""
        self.round, self.over = 0, False
        self.answers: Counter[int] = Counter()
        self.faults: Counter[tuple[str, float]] = Counter()
        self.ill: list[Member] = []
        self.wrong: list[Any] = []

    async def caller(self, member: Member, dice: random.Random) -> None:
        """Call one gateway again and again."""
        while not self.over:
            agent = f"r{max(0, self.round - int(dice.expovariate(0.5)) % KEPT)}"
            slow = ((b"x-standin-interval", b"0.01"),)
            api, stream = dice.choice(("anthropic", "openai")), dice.random() < 0.5
            wish = Wish(agent, api, stream, dice.choice((10, 400)), 60, 5, slow)
            answer = await member.call(wish)
            self.answers[answer.status if answer is not None else 0] += 1
            await pause(0.02 if answer is not None and answer.status == 200 else 0.1)

    async def killed(self, member: Member, seconds: float) -> None:
        """A process is killed, and started again later."""
        await member.kill()
        await pause(seconds)
        await member.start()

    async def stopped(self, member: Member, seconds: float) -> None:
        """A process hangs for a while."""
        member.hang()
        await pause(seconds)
        member.go_on()

    async def cut(self, member: Member, seconds: float) -> None:
        """A process does not reach the store for a while; what both said then arrives late."""
        member.network.cut = True
        await pause(seconds)
        member.network.heal()

    def spent(self, members: list[Member]) -> Counter[str]:
        """What the audit logs say, by agent."""
        spent: Counter[str] = Counter()
        for member in members:
            with open(member.log, encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):
                        record = json.loads(line)
                        spent[record["agent"]] += nano(record)
        return spent

    def fault(self, dice: random.Random, members: list[Member]) -> None:
        """One thing goes wrong, with a process with which all is well so far."""
        well = [member for member in members if member not in self.ill]
        if len(well) < 2:
            return
        member = dice.choice(well)
        what = dice.choice((self.killed, self.killed, self.stopped, self.cut))
        seconds = dice.choice((0.1, 0.1, 0.5, 0.5, 1.0, GONE))
        self.ill.append(member)
        self.faults[what.__name__, seconds] += 1

        def well_again(result: Any) -> Any:
            self.ill.remove(member)
            return result

        ensureDeferred(what(member, seconds)).addBoth(well_again).addErrback(self.wrong.append)

    async def wrong_about(self, member: Member, members: list[Member]) -> set[str]:
        """Agents of which a gateway says that all have spent something else than their logs say together."""
        wrong = set()
        for agent, nanos in self.spent(members).items():
            raw = request(b"GET", b"/api/agents/" + agent.encode(), None, (b"Authorization", member.token))
            answer = await ask(self, member.port, raw)
            if answer.status == 200 and round(json.loads(answer.body)["total_cost"] * 10**9) != nanos:
                wrong.add(agent)
        return wrong

    async def agree(self, members: list[Member]) -> None:
        """Wait until all gateways say the same."""
        for member in members:
            for _ in range(20):
                if not await self.wrong_about(member, members):
                    break
                await pause(0.5)
            self.assertEqual(await self.wrong_about(member, members), set())

    def test_hard(self) -> Any:
        """Rounds of faults: no cap is passed at any time, and afterwards all books say the same."""

        async def scenario() -> None:
            dice = random.Random(SEED)
            _, members = await start_members(self, AGENTS)
            callers = [
                ensureDeferred(self.caller(member, random.Random(dice.random())))
                for member in members
                for _ in range(CALLERS)
            ]
            for self.round in range(ROUNDS):
                self.fault(dice, members)
                await pause(LENGTH)
                for agent, spent in self.spent(members).items():
                    self.assertLessEqual(spent, CAP, f"round {self.round}, agent {agent}")
            await until(lambda: not self.ill, 30)
            self.over = True
            await gatherResults(callers)
            self.assertEqual(self.wrong, [])
            spent = self.spent(members)
            print(f"{ROUNDS} rounds, {dict(self.answers)} answers, {dict(self.faults)} faults")
            self.assertGreater(sum(spent.values()), len(spent) * CAP * 0.2)
            self.assertLessEqual(max(spent.values()), CAP)
            await self.agree(members)

        return ensureDeferred(scenario())
