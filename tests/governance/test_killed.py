"""A gateway under load, killed at random moments and started again on what it left."""

import json
import os
import random
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.governance.books import Wish, nano
from tests.harness import reactor
from tests.peers import ask, closed_port, request
from tests.reality.processes import GATEWAY, Process, healthy, spawn, start_standin, write_config

ROUNDS = int(os.environ.get("KILLS", "15"))
SEED = 20_260_401
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}"}}
  openai: {{base_url: "http://127.0.0.1:{provider}"}}
agents:
  "*": {{}}
  hard: {{budget: {{max_cost_per_day: 1000, enforcement: hard}}}}
  loose: {{budget: {{max_cost_per_day: 1000}}}}
  paused: {{}}
prices: {{priced: {{input: 3, output: 15}}}}
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: false
store: "sqlite:{folder}/ledger.sqlite"
"""
AGENTS = ("hard", "loose")
WORKERS = 12
JSON = (b"Content-Type", b"application/json")


class KilledTests(TestCase):
    """`kill -9` at any moment loses nothing that was settled, and counts nothing twice."""

    timeout = 400

    async def start(self) -> Process:
        """The gateway, answering."""
        process = spawn(self, *GATEWAY, self.path)
        await healthy(self, process, self.port)
        return process

    async def work(self, dice: random.Random) -> None:
        """Call again and again, until nobody answers any more."""
        while True:
            slow = (b"x-standin-interval", b"0.002")
            wish = Wish(
                dice.choice(AGENTS), dice.choice(("anthropic", "openai")), dice.random() < 0.5, 50, 40, 4, (slow,)
            )
            try:
                answer = await ask(self, self.port, wish.raw)
            except Exception:
                return
            if answer.ended and answer.status == 200:
                self.seen.append(answer.one(b"x-agentgateway-request-id"))
            elif not answer.ended:
                return

    async def manage(self, method: bytes, path: bytes, body: bytes | None) -> Any:
        """Ask the management API."""
        token = (self.folder / "admin-token").read_bytes().strip()
        answer = await ask(self, self.port, request(method, path, body, (b"Authorization", b"Bearer " + token), JSON))
        self.assertEqual(answer.status, 200, bytes(answer.body))
        return json.loads(bytes(answer.body))

    def records(self) -> list[dict[str, Any]]:
        """All whole lines of the audit log."""
        lines = (self.folder / "audit.jsonl").read_text().split("\n")
        return [json.loads(line) for line in lines if line]

    async def check(self, number: int) -> None:
        """The books by now: ledger and log agree, each call is there once, and what a caller saw the end of is there."""
        records = self.records()
        ids = [record["id"] for record in records]
        self.assertEqual(len(ids), len(set(ids)), f"round {number}")
        self.assertLessEqual(set(self.seen), set(ids), f"round {number}")
        for name in AGENTS:
            agent = await self.manage(b"GET", b"/api/agents/" + name.encode(), None)
            audited = sum(nano(record) for record in records if record["agent"] == name)
            self.assertEqual(round(agent["total_cost"] * 10**9), audited, f"round {number}, agent {name}")
            self.assertEqual(agent["budget"]["reserved"], 0)
        self.assertEqual((await self.manage(b"GET", b"/api/agents/paused", None))["pause_reason"], "for the test")
        self.assertEqual((await self.manage(b"GET", b"/api/budget/loose", None))["max_cost_per_hour"], 77)

    async def life(self, dice: random.Random) -> None:
        """Load, and a kill in the middle of it."""
        process = await self.start() if self.process is None else self.process
        working = gatherResults([ensureDeferred(self.work(dice)) for _ in range(WORKERS)])
        pause: Deferred[None] = Deferred()
        reactor.callLater(dice.uniform(0.01, 0.35), pause.callback, None)
        await pause
        process.transport.signalProcess("KILL")
        await process.ended
        await working
        self.process = await self.start()

    def test_killed(self) -> Any:
        """Killed and started again, over and over: the ledger is what the log says, pauses and changed caps stand."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            self.port = closed_port()
            self.path = write_config(self, self.port, provider, CONFIG)
            self.folder, self.seen, dice = Path(self.path).parent, [], random.Random(SEED)
            self.process = await self.start()
            await self.manage(b"POST", b"/api/agents/paused/pause", b'{"reason": "for the test"}')
            await self.manage(b"PUT", b"/api/budget/loose", b'{"max_cost_per_hour": 77}')
            for number in range(ROUNDS):
                await self.life(dice)
                await self.check(number)
            lost = [record for record in self.records() if record["reason"] == "gateway_killed"]
            self.assertGreater(len(lost), ROUNDS)
            self.assertTrue(all(record["cost_usd"] > 0 for record in lost))
            self.assertGreater(len(self.seen), ROUNDS)

        return ensureDeferred(scenario())
