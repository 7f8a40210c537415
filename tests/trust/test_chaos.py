"""Chaos from a seed: what can happen to a gateway happens in random order under load, and its invariants hold after each.

`CHAOS=200` makes more rounds, `CHAOS_SEED=N` others. How to play the rounds up to a failure again is in its message.
"""

import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import reactor, until
from tests.peers import closed_port
from tests.reality.processes import STANDIN, Process, listens, spawn, start_standin
from tests.trust.gateway import Gateway, pause, start
from tests.trust.load import CONFIG, ROUGH, STEADY, Load

ROUNDS = int(os.environ.get("CHAOS", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "20260715"))
WORKERS = 8
LONGEST = 60.0
"""Seconds after which a round hangs."""


@contextmanager
def replayed(how: str) -> Iterator[None]:
    """Whatever fails in here, an invariant or the world around it, says how to play it again."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{how}: {type(error).__name__} {error}") from error


class ChaosTests(TestCase):
    """One gateway, two providers, and what may happen to them."""

    timeout = 60 + 6 * ROUNDS

    async def setting(self) -> None:
        """All of it running."""
        _, provider = await start_standin(self)
        self.rough_port = closed_port()
        self.rough = await self.provider()
        self.gateway: Gateway = await start(self, provider, CONFIG.replace("ROUGH", str(self.rough_port)))
        self.text = Path(self.gateway.path).read_text()
        self.paused = False
        self.rotated = 0

    async def provider(self) -> Process:
        """The rough agent's provider."""
        process = spawn(self, *STANDIN, "--port", str(self.rough_port))
        await until(lambda: listens(self.rough_port), 20)
        return process

    def signal(self, number: int) -> None:
        """To the gateway."""
        self.gateway.process.transport.signalProcess(number)

    # what may happen

    async def killed(self) -> None:
        """SIGKILL, and a start on what is left."""
        self.signal(signal.SIGKILL)
        await self.gateway.process.ended
        await self.gateway.start()

    async def stopped(self) -> None:
        """SIGTERM: it drains, ends well, and starts again."""
        await self.gateway.stop()
        await self.gateway.start()

    async def reloaded(self) -> None:
        """SIGHUP with another configuration."""
        rate = self.dice.choice(("", "rate_limit: 100000/min, "))
        Path(self.gateway.path).write_text(self.text.replace("steady: {", "steady: {" + rate))
        await self.hangup()

    async def misread(self) -> None:
        """SIGHUP with a broken one."""
        Path(self.gateway.path).write_text(self.text.replace("agents:", "agents: ["))
        await self.hangup()
        Path(self.gateway.path).write_text(self.text)

    async def hangup(self) -> None:
        """SIGHUP, and what it says."""
        before = self.gateway.said.count("reloaded")
        self.signal(signal.SIGHUP)
        await until(lambda: self.gateway.said.count("reloaded") > before)

    async def frozen(self) -> None:
        """SIGSTOP for a while, as a machine that swaps or sleeps."""
        self.signal(signal.SIGSTOP)
        await pause(self.dice.uniform(0.05, 0.5))
        self.signal(signal.SIGCONT)

    async def provider_killed(self) -> None:
        """The rough provider dies and comes back."""
        self.rough.transport.signalProcess(signal.SIGKILL)
        await self.rough.ended
        await pause(self.dice.uniform(0, 0.2))
        self.rough = await self.provider()

    async def provider_frozen(self) -> None:
        """The rough provider falls silent."""
        self.rough.transport.signalProcess(signal.SIGSTOP)
        await pause(self.dice.uniform(0.05, 0.5))
        self.rough.transport.signalProcess(signal.SIGCONT)

    async def pausing(self) -> None:
        """An operator pauses the rough agent, or lets it go on."""
        word = b"resume" if self.paused else b"pause"
        answer = await self.gateway.manage(b"POST", b"/api/agents/rough/" + word, b"{}")
        self.assertEqual(answer.status, 200)
        self.paused = not self.paused

    async def rotation(self) -> None:
        """The log is moved away and opened anew."""
        self.rotated += 1
        log = self.gateway.folder / "audit.jsonl"
        log.rename(self.gateway.folder / f"audit.jsonl.{self.rotated}")
        self.signal(signal.SIGUSR1)
        await until(log.exists)

    # what must hold

    async def round(self, load: Load, chosen: list[Callable[[], Awaitable[None]]]) -> None:
        """What was chosen happens under load."""
        load.start(WORKERS)
        for happening in chosen:
            await pause(self.dice.uniform(0, 0.15))
            await happening()
        await load.stop()
        await self.check(load)

    async def check(self, load: Load) -> None:
        """No call is lost, doubled or unpaid, and everything stands as it was said."""
        await self.gateway.quiet()
        log = self.gateway.audited
        self.assertEqual(load.seen.beyond(log.ids), [])
        await self.gateway.check_books([STEADY, ROUGH], log=log)
        agent = await self.gateway.agent(ROUGH)
        self.assertEqual(agent["status"] == "paused", self.paused)
        self.assertNotIn("Traceback", self.gateway.said)
        self.assertLess(self.gateway.descriptors, 150)

    def test_told(self) -> None:
        """Whatever a round fails of, the failure says how to play it again."""
        for failure in (AssertionError("8 != 9"), TimeoutError()):
            with self.assertRaises(AssertionError) as caught, replayed("CHAOS=3 CHAOS_SEED=7: killed"):
                raise failure
            told = f"CHAOS=3 CHAOS_SEED=7: killed: {type(failure).__name__} {failure}"
            self.assertEqual(str(caught.exception), told)

    def test_chaos(self) -> Any:
        """In any order, under load: nothing settled is lost or counted twice, and nothing hangs."""
        self.dice = random.Random(SEED)
        happenings: tuple[Callable[[], Awaitable[None]], ...] = (
            self.killed,
            self.stopped,
            self.reloaded,
            self.misread,
            self.frozen,
            self.provider_killed,
            self.provider_frozen,
            self.pausing,
            self.rotation,
        )

        async def scenario() -> None:
            await self.setting()
            load = Load(self.gateway, random.Random(SEED))
            for number in range(ROUNDS):
                chosen = self.dice.sample(happenings, 2)
                with replayed(f"CHAOS={number + 1} CHAOS_SEED={SEED}: {' and '.join(one.__name__ for one in chosen)}"):
                    await ensureDeferred(self.round(load, chosen)).addTimeout(LONGEST, reactor)
            print(f"chaos: {ROUNDS} rounds, {load.ended} answers, {load.left} left, {load.failed} found no gateway")
            self.assertGreater(load.ended, 10 * ROUNDS)
            await self.gateway.stop()

        return ensureDeferred(scenario())
