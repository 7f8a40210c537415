"""Several workers as processes: they are one gateway to callers and to operators, whatever happens to one of them."""

import os
import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.harness import connect, until
from tests.operate.gateway import Client, Load, lost, message
from tests.peers import ask, call_in, closed_port, request
from tests.workers.gateway import Workers, alive, started

SLOW = ((b"x-standin-chunks", b"8"), (b"x-standin-interval", b"0.2"))


class Base(TestCase):
    """Callers of both kinds."""

    timeout = 120

    async def under_load(self, gateway: Workers, work: Any, rate: int = 60, kept: int = 3) -> Any:
        """What callers got while `work` was under way: on connections of their own, and on kept ones."""
        load = Load(self, gateway.port, rate / 2, message(b"busy"))
        clients = [Client(self, gateway.port, 10, message(b"kept")) for _ in range(kept)]
        await until(lambda: len(load.answers) > 20, 20)
        await work
        answered = len(load.answers)
        await until(lambda: len(load.answers) > answered + 20, 20)
        callers = [load, *clients]
        await gatherResults([ensureDeferred(caller.stop()) for caller in callers])
        answers = [answer for caller in callers for answer in caller.answers]
        return answers, [failure for caller in callers for failure in caller.failures]

    async def end(self, gateway: Workers) -> None:
        """A good end, of all."""
        pids = list(gateway.pids.values())
        gateway.stop()
        await gateway.ended()
        self.assertEqual([pid for pid in pids if alive(pid)], [])


class OneGatewayTests(Base):
    """Whichever worker answers."""

    async def test_merged(self) -> None:
        """Calls go to both workers; status, agents, metrics and logs are of both, each call once."""
        gateway = await started(self)
        answers, failures = await self.under_load(gateway, until(lambda: True), 100)
        self.assertEqual((failures, lost(answers)), ([], []))
        ids = sorted(answer.one(b"x-agentgateway-request-id") for answer in answers)
        self.assertEqual(sorted(one["id"] for one in gateway.records()), ids)
        served = [len(path.read_text().splitlines()) for path in sorted(gateway.folder.glob("audit*.jsonl"))]
        self.assertEqual(len(served), 2)
        self.assertGreater(min(served), len(ids) // 10, "one worker has served nearly all")
        for _ in range(4):  # on connections of their own: by both
            logged = await gateway.get(b"/api/logs?limit=1000")
            self.assertEqual(sorted(one["id"] for one in logged), ids)
            self.assertEqual([one["ts"] for one in logged], sorted(one["ts"] for one in logged))
            status = await gateway.get(b"/api/status")
            self.assertEqual((status["gateway"]["workers"], status["gateway"]["in_flight"]), (2, 0))
            self.assertEqual({one["id"] for one in status["agents"]}, {"researcher", "busy", "kept"})
            text = bytes((await ask(self, gateway.port, local(b"/metrics"))).body).decode()
            calls = [line for line in text.splitlines() if line.startswith("agentgateway_calls_total{")]
            self.assertEqual(sum(float(line.rpartition(" ")[2]) for line in calls), len(ids))
            self.assertEqual({line.partition('worker="')[2][0] for line in calls}, {"0", "1"})
        await self.end(gateway)

    async def test_in_flight(self) -> None:
        """What is under way is added up, for the gateway and for each agent."""
        gateway = await started(self)
        callers = [await call_in(self, gateway.port) for _ in range(6)]
        for caller in callers:
            caller.transport.write(message(b"slow", True, (b"x-standin-chunks", b"20"), SLOW[1]))
        await until(lambda: all(b"message_start" in caller.answer.body for caller in callers))
        seen: set[tuple[Any, ...]] = set()
        while ("ok", 6, 6) not in seen and not any(caller.answer.ended for caller in callers):
            health, agent = await gateway.get(b"/health"), await gateway.get(b"/api/agents/slow")
            seen.add((health["status"], health["in_flight"], agent["in_flight"]))  # a busy worker may be left out once
        self.assertIn(("ok", 6, 6), seen)
        await self.end(gateway)
        self.assertTrue(all(caller.answer.ended for caller in callers), "streams end in their own time")

    async def test_follow(self) -> None:
        """Who follows the log gets every record of every worker once, and a proper end when the gateway stops."""
        gateway = await started(self)
        follower = await connect(self, gateway.port)
        follower.transport.write(local(b"/api/logs?follow=true&limit=0&format=jsonl"))
        await until(lambda: b"200 OK" in follower.received)
        answers = [await ask(self, gateway.port, message(b"seen")) for _ in range(12)]
        ids = {answer.one(b"x-agentgateway-request-id") for answer in answers}
        await until(lambda: all(one.encode() in follower.received for one in ids))
        await self.end(gateway)
        await follower.closed
        self.assertTrue(follower.received.endswith(b"0\r\n\r\n"))
        self.assertEqual(follower.received.count(b'"agent":"seen"'), len(ids))

    async def test_pause(self) -> None:
        """An agent is paused by whichever worker is told so, and for all of them."""
        gateway = await started(self)
        await ask(self, gateway.port, message(b"researcher"))
        await gateway.run("pause", "researcher", "--reason", "enough")
        found = []

        async def refused_by_all() -> bool:
            found[:] = [await gateway.call(b"researcher") for _ in range(8)]
            return all(one == (403, "agent_paused") for one in found)

        for _ in range(50):
            if await refused_by_all():
                break
        self.assertEqual(set(found), {(403, "agent_paused")})
        await self.end(gateway)

    async def test_log_lines(self) -> None:
        """What a worker logs comes out with its name; a reload reaches each of them without replacing it."""
        gateway = await started(self)
        before = gateway.pids
        path = Path(gateway.path)
        path.write_text(path.read_text().replace("researcher:", "tester:"))
        gateway.send(signal.SIGHUP)
        await until(lambda: b"reloaded" in gateway.process.err and b"in every worker" in gateway.process.err)
        for number in (b"0", b"1"):
            self.assertIn(b"[worker " + number + b"]", gateway.process.err)
        for _ in range(4):
            self.assertEqual((await gateway.agent("tester"))["id"], "tester")
        self.assertEqual(gateway.pids, before)
        self.assertIn(
            b"configuration reloaded by signal: agents added tester; agents removed researcher", gateway.process.err
        )
        self.assertIn(b"agentgateway starting on %d" % gateway.port, gateway.process.err)
        self.assertNotIn(b"Nobody", gateway.process.err)
        path.write_text(path.read_text().replace("tester:", "researcher:"))
        await gateway.run("reload")
        for _ in range(4):
            self.assertEqual((await gateway.agent("researcher"))["id"], "researcher")
        self.assertEqual(gateway.pids, before)
        await self.end(gateway)

    async def test_rotation(self) -> None:
        """SIGUSR1 makes every worker open its log anew: what comes later is in new files."""
        gateway = await started(self)
        await self.under_load(gateway, until(lambda: True), 100)
        logs = sorted(gateway.folder.glob("audit*.jsonl"))
        for log in logs:
            log.rename(log.with_suffix(".old"))
        gateway.send(signal.SIGUSR1)
        await until(lambda: all(log.exists() for log in logs))
        self.assertEqual(len(logs), 2)
        await self.end(gateway)


class ReplacedTests(Base):
    """Workers come and go, the sockets stay."""

    async def test_renewed(self) -> None:
        """SIGUSR2 replaces every worker under load: no connection is refused, no call lost, and each is in a log once."""
        gateway = await started(self)
        before = gateway.pids

        async def work() -> None:
            gateway.send(signal.SIGUSR2)
            await until(lambda: len(gateway.pids) == 2 and not set(before.values()) & set(gateway.pids.values()), 30)

        answers, failures = await self.under_load(gateway, work())
        self.assertEqual((failures, lost(answers)), ([], []))
        ids = sorted(answer.one(b"x-agentgateway-request-id") for answer in answers)
        self.assertEqual(sorted(one["id"] for one in gateway.records()), ids)
        await self.end(gateway)

    async def test_killed(self) -> None:
        """A worker that is killed is started again; only calls on its connections are lost, and none is refused."""
        gateway = await started(self)
        before = gateway.pids

        async def work() -> None:
            os.kill(before[0], signal.SIGKILL)
            await until(lambda: gateway.pids.get(0) not in (None, before[0]), 30)

        answers, failures = await self.under_load(gateway, work(), kept=0)
        self.assertEqual([one for one in failures if "Refused" in one], [])
        self.assertLess(len(failures) + len(lost(answers)), 15)
        self.assertEqual(gateway.pids[1], before[1])
        self.assertIn(b"worker 0 has ended (SIGKILL) and is started again", gateway.process.err)
        await self.end(gateway)

    async def test_more_workers(self) -> None:
        """What would need a restart, a reload does by replacing the workers: here there are three, then, on another port."""
        gateway = await started(self)
        before, path, other = gateway.pids, Path(gateway.path), closed_port()
        listen = f"'tcp:{gateway.port}:interface=127.0.0.1', 'tcp:{other}:interface=127.0.0.1'"
        text = path.read_text().replace(f"'tcp:{gateway.port}:interface=127.0.0.1'", listen)
        path.write_text(text.replace("workers: 2", "workers: 3"))
        gateway.send(signal.SIGHUP)
        await until(lambda: len(gateway.pids) == 3 and gateway.socket(2).exists(), 30)
        self.assertFalse(set(before.values()) & set(gateway.pids.values()))
        self.assertEqual((await ask(self, other, local(b"/health"))).status, 200)
        await self.end(gateway)

    async def test_broken_file(self) -> None:
        """A broken file changes nothing, and no worker is replaced by one that could not read it."""
        gateway = await started(self)
        before, path = gateway.pids, Path(gateway.path)
        path.write_text(path.read_text().replace("researcher: {", "researcher: {rate_limit: never, "))
        for number in (signal.SIGHUP, signal.SIGUSR2):
            said = gateway.process.err.count(b"nothing has changed")
            gateway.send(number)
            await until(lambda: gateway.process.err.count(b"nothing has changed") > said)  # noqa: B023 - called at once
        self.assertIn(b"agents.researcher.rate_limit: expected", gateway.process.err)
        self.assertEqual(gateway.pids, before)
        await self.end(gateway)

    async def test_orphans(self) -> None:
        """Workers whose parent is killed end by themselves."""
        gateway = await started(self)
        pids = list(gateway.pids.values())
        gateway.send(signal.SIGKILL)
        await gateway.process.ended
        await until(lambda: not any(map(alive, pids)), 20)


def local(path: bytes) -> bytes:
    """A GET as from a shell on this machine."""
    return request(b"GET", path, None).replace(b"gateway.test", b"localhost")
