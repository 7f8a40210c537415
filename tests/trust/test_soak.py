"""Everything at once for a while: memory, descriptors and timers stay flat, and all three books agree.

`SOAK=1800` runs it for half an hour.
"""

import os
import random
import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import connect, reactor, until
from tests.ops.dashboard.served import SocketClient
from tests.peers import closed_port, request
from tests.reality.processes import start_standin
from tests.trust.gateway import Gateway, pause, start
from tests.trust.load import CONFIG, ROUGH, STEADY, Load, Silent, served

SECONDS = float(os.environ.get("SOAK", "30"))
SEED = 20_260_701
WORKERS = 12
BOARD = "dashboard: {{host: 127.0.0.1, port: PORT}}"
GROWTH = 6 << 20
"""Bytes of memory it may have more at the end than after the first third."""


class SoakTests(TestCase):
    """Streams, whole answers, callers who leave, faults, reloads, followers of the log and viewers, for a while."""

    timeout = SECONDS + 90

    async def reload(self, gateway: Gateway, number: int) -> None:
        """Read the configuration again, every third time a broken one."""
        path = Path(gateway.path)
        text = path.read_text()
        if number % 3 == 2:
            path.write_text(text + "nonsense: 1\n")
        gateway.process.transport.signalProcess(signal.SIGHUP)
        await until(lambda: gateway.said.count("reloaded") > number)
        path.write_text(text)

    async def follow(self, gateway: Gateway, stalled: bool) -> Any:
        """A follower of the log, which may never read."""
        follower = await connect(Silent(), gateway.port)
        token = (gateway.folder / "admin-token").read_bytes().strip()
        fields = (b"Authorization", b"Bearer " + token)
        if stalled:
            follower.transport.pauseProducing()
        follower.transport.write(request(b"GET", b"/api/logs?follow=true&format=jsonl", None, fields))
        return follower

    async def view(self, stalled: bool) -> Any:
        """A viewer of the dashboard, who may never read."""
        viewer = await connect(Silent(), self.board)
        if stalled:
            viewer.transport.pauseProducing()
        SocketClient(viewer).ask("/ws", Host=f"127.0.0.1:{self.board}")
        return viewer

    async def minute(self, gateway: Gateway, seconds: float) -> None:
        """Reloads, followers of the log and viewers that come and go, meanwhile."""
        until_then, followers = reactor.seconds() + seconds, []
        while reactor.seconds() < until_then:
            await self.reload(gateway, gateway.said.count("reloaded"))
            followers.append(await self.follow(gateway, len(followers) % 4 == 0))
            followers.append(await self.view(len(followers) % 4 == 3))
            await pause(0.7)
            if len(followers) > 6:
                followers.pop(0).transport.abortConnection()
                followers.pop(0).transport.abortConnection()
        for follower in followers:
            follower.transport.abortConnection()
            await follower.closed

    async def three_books(self, gateway: Gateway, provider: int) -> None:
        """What the provider served is what the log has and what the ledger says, token for token."""
        await gateway.check_books([STEADY, ROUGH])
        mine = [record for record in gateway.records if record["agent"] == STEADY]
        told = await served(self, provider)
        self.assertEqual({(record["outcome"], record["usage"]) for record in mine}, {("ok", "exact")})
        self.assertEqual(told["calls"], len(mine))
        self.assertEqual(told["input_tokens"], sum(record["input_tokens"] for record in mine))
        self.assertEqual(told["output_tokens"], sum(record["output_tokens"] for record in mine))
        agent = await gateway.agent(STEADY)
        self.assertEqual(round(agent["total_cost"] * 1e9), told["input_tokens"] * 3000 + told["output_tokens"] * 15_000)

    def test_soak(self) -> Any:
        """Nothing grows, nothing is left open, and no token is lost or counted twice."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            _, rough = await start_standin(self)
            self.board = closed_port()
            config = CONFIG.replace("ROUGH", str(rough)).replace(
                "dashboard: false", BOARD.replace("PORT", str(self.board))
            )
            gateway = await start(self, provider, config)
            load = Load(gateway, random.Random(SEED))
            load.start(WORKERS)
            await self.minute(gateway, SECONDS / 3)
            before, descriptors = gateway.process.resident, gateway.descriptors
            timers = await gateway.number("timers")
            await self.minute(gateway, SECONDS * 2 / 3)
            after, last = gateway.process.resident, gateway.descriptors
            later = await gateway.number("timers")
            await load.stop()
            await gateway.quiet()
            print(
                f"{SECONDS:.0f} s: {load.ended} answers, {load.left} left, {len(gateway.records)} records; memory"
                f" {before / 2**20:.1f}, then {after / 2**20:.1f} MB; descriptors {descriptors}, then {last};"
                f" timers {timers:.0f}, then {later:.0f}"
            )
            self.assertLess(after - before, GROWTH)
            self.assertLess(abs(last - descriptors), 2 * WORKERS + 8)
            self.assertLess(abs(later - timers), 2 * WORKERS + 8)
            self.assertLessEqual(set(load.seen), {record["id"] for record in gateway.records})
            await self.three_books(gateway, provider)
            self.assertEqual(load.failed, 0)
            self.assertNotIn("Traceback", gateway.said)
            await gateway.stop()

        return ensureDeferred(scenario())
