"""Everything at once for a while: memory, descriptors and timers stay flat, and all books agree.

`SOAK=1800` runs it for half an hour. Where wrk is installed it makes most of the calls, at 70 % of what the gateway can
do on this machine; elsewhere there are only those that callers in Python make, a few hundred a second.
"""

import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import RawClient, connect, reactor, until
from tests.ops.dashboard.served import SocketClient
from tests.peers import closed_port, request
from tests.reality.processes import start_standin
from tests.trust.audited import Audited
from tests.trust.gateway import Gateway, pause, start
from tests.trust.load import CONFIG, ROUGH, STEADY, Load, Silent, served
from tests.trust.weighed import used
from tests.trust.wrk import Made, installed, wrk

SECONDS = float(os.environ.get("SOAK", "30"))
SEED = 20_260_701
WORKERS = 12
BENCHED = 2.0
"""Seconds for which wrk calls as fast as it is answered, to see how fast that is."""
SHARE = 0.7
"""So much of that it asks for afterwards."""
REST = 0.1
"""Seconds that each worker rests after a call beside wrk: callers in Python take a whole core, and it is the gateway's."""
SWIFT = "swift"
"""wrk's agent. It has every kind of limit and reaches none."""
LIMITS = (
    "budget: {{max_cost_per_hour: 1000000, max_cost_per_day: 1000000, enforcement: hard}}, "
    'rate_limit: "10000000/s", token_limit: "100000000000/s", max_concurrency: 10000'
)
BOARD = "dashboard: {{host: 127.0.0.1, port: PORT}}"
WEIGHED = (sys.executable, "-m", "tests.trust.weighed", "start", "-c")
GROWTH = 6 << 20
"""Bytes that may be in use more at the end than after the first third.

Both times nobody calls. Under load there is memory that goes with the rate, and it has bounds of its own: records on their
way into the index (those of a second or two, and at most 40,000), and what a follower of the log has not read (4 MB)."""
KEPT = 16 << 20
"""Bytes that the process may have more besides: freed, but not given back. It is 5 to 15 MB after a load, by chance."""
LEFT = 8
"""Descriptors, and timers, that it may have more or less then: segments of the journal and timers of a second come and go."""
LOOK = 2.5
"""Seconds after which one looks at it: the checkpoint of each second has written what waited."""


@attrs.frozen
class Look:
    """A gateway while nobody calls. `descriptors` leaves out kept connections to providers: there are as many as there were
    calls at once in the last minute."""

    used: int
    resident: int
    descriptors: int
    timers: int

    def __str__(self) -> str:
        memory = f"{self.used / 2**20:.1f} MB in use of {self.resident / 2**20:.1f}"
        return f"{memory}, {self.descriptors} descriptors, {self.timers} timers"


async def look(gateway: Gateway) -> Look:
    """The gateway, in a moment."""
    await pause(LOOK)
    told = len(used(gateway.said))
    gateway.process.transport.signalProcess(signal.SIGUSR2)
    await until(lambda: len(used(gateway.said)) > told)
    timers, idle = await gateway.number("timers"), await gateway.numbers('upstream_connections{.*state="idle".*}')
    descriptors = gateway.descriptors - round(sum(idle))
    return Look(used(gateway.said)[-1], gateway.process.resident, descriptors, round(timers))


class SoakTests(TestCase):
    """Streams, whole answers, callers who leave, faults, reloads, followers of the log and viewers, for a while."""

    timeout = 1.2 * SECONDS + 90

    async def reload(self, gateway: Gateway, number: int) -> None:
        """Read the configuration again, every third time a broken one."""
        path = Path(gateway.path)
        text = path.read_text()
        if number % 3 == 2:
            path.write_text(text + "nonsense: 1\n")
        gateway.process.transport.signalProcess(signal.SIGHUP)
        await until(lambda: gateway.said.count("reloaded") > number)
        path.write_text(text)

    async def visitor(self, port: int, stalled: bool) -> RawClient:
        """Somebody who looks on, and keeps nothing of what it sees; it may never read."""
        visitor = await connect(Silent(), port)
        visitor.dataReceived = lambda data: None  # type: ignore[method-assign]
        if stalled:
            visitor.transport.pauseProducing()
        return visitor

    async def follow(self, gateway: Gateway, stalled: bool) -> Any:
        """A follower of the log."""
        follower = await self.visitor(gateway.port, stalled)
        fields = (b"Authorization", b"Bearer " + gateway.token)
        follower.transport.write(request(b"GET", b"/api/logs?follow=true&format=jsonl", None, fields))
        return follower

    async def view(self, stalled: bool) -> Any:
        """A viewer of the dashboard."""
        viewer = await self.visitor(self.board, stalled)
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

    async def benched(self, gateway: Gateway) -> None:
        """What wrk gets while there is nobody else."""
        if installed():
            calls = wrk(self, gateway.port, SWIFT, "priced")
            await pause(BENCHED)
            self.runs.append(await calls.stop())

    async def part(self, gateway: Gateway, load: Load, seconds: float) -> Look:
        """All of it for a while; the gateway when it is over."""
        fastest = [run.rate for run in self.runs[:1]]
        swift = [wrk(self, gateway.port, SWIFT, "priced", SHARE * rate) for rate in fastest]
        load.start(WORKERS)
        began, busy = reactor.seconds(), gateway.process.busy
        await self.minute(gateway, seconds)
        busy = (gateway.process.busy - busy) / (reactor.seconds() - began)
        self.runs += [await calls.stop() for calls in swift]
        await load.stop()
        await gateway.quiet()
        seen = await look(gateway)
        fast = [
            f"wrk {self.runs[-1].rate:.0f} calls/s, {self.runs[-1].rate / rate:.0%} of all it could; "
            for rate in fastest
        ]
        print(f"{seconds:.0f} s: {''.join(fast)}gateway {busy:.2f} of a core, then {seen}")
        return seen

    def wrk_agrees(self, log: Audited) -> None:
        """Every call of wrk's went well, and the log has each."""
        self.assertEqual(sum(run.errors for run in self.runs), 0)
        self.assertEqual(sum(run.answers for run in self.runs), log.of(SWIFT).calls)

    async def three_books(self, gateway: Gateway, provider: int, log: Audited) -> None:
        """What the provider served is what the log has and what the ledger says, token for token."""
        await gateway.check_books([STEADY, SWIFT, ROUGH], log=log)
        told, mine = await served(self, provider), [log.of(STEADY), log.of(SWIFT)]
        self.assertEqual({end for sums in mine for end in sums.ends}, {("ok", "exact")})
        self.assertEqual(told["calls"], sum(sums.calls for sums in mine))
        self.assertEqual(told["input_tokens"], sum(sums.input_tokens for sums in mine))
        self.assertEqual(told["output_tokens"], sum(sums.output_tokens for sums in mine))
        spent = sum([round((await gateway.agent(name))["total_cost"] * 1e9) for name in (STEADY, SWIFT)])
        self.assertEqual(spent, told["input_tokens"] * 3000 + told["output_tokens"] * 15_000)

    async def everything(self, provider: int, rough: int) -> Gateway:
        """The gateway, with all that it can be asked."""
        self.board = closed_port()
        agents = f"  {SWIFT}: {{{{provider: anthropic, {LIMITS}}}}}\n  rough: "
        config = CONFIG.replace("  rough: ", agents).replace("ROUGH", str(rough))
        config = config.replace("dashboard: false", BOARD.replace("PORT", str(self.board)))
        return await start(self, provider, config, WEIGHED)

    def test_soak(self) -> Any:
        """Nothing grows, nothing is left open, and no token is lost or counted twice."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            _, rough = await start_standin(self)
            gateway = await self.everything(provider, rough)
            load = Load(gateway, random.Random(SEED), rest=REST if installed() else 0.0)
            self.runs: list[Made] = []
            await self.benched(gateway)
            before = await self.part(gateway, load, SECONDS / 3)
            after = await self.part(gateway, load, SECONDS * 2 / 3)
            log = gateway.audited
            print(f"{load.ended} answers, {load.left} left, {len(log.ids)} records")
            self.assertEqual(load.seen.beyond(log.ids), [])
            self.wrk_agrees(log)
            await self.three_books(gateway, provider, log)
            self.assertEqual(load.failed, 0)
            self.assertNotIn("Traceback", gateway.said)
            self.assertLess(after.used - before.used, GROWTH)
            self.assertLess(after.resident - before.resident, GROWTH + KEPT)
            self.assertLessEqual(abs(after.descriptors - before.descriptors), LEFT)
            self.assertLessEqual(abs(after.timers - before.timers), LEFT)
            await gateway.stop()
            shutil.rmtree(gateway.folder)  # half an hour's log takes gigabytes; that of a failure stays

        return ensureDeferred(scenario())
