"""Connections that do nothing, that are slow, and that are too many: others do not notice."""

import json
import os
import resource
import socket
import sys
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.harness import reactor, until
from tests.peers import ask, call_in, post
from tests.reality.processes import GATEWAY, start_standin
from tests.trust.gateway import CONFIG, Gateway, pause, start

BODY = b'{"model":"priced","max_tokens":9,"messages":[]}'
CALL = post(b"/v1/messages", BODY, (b"x-agent-id", b"busy"))
IMPATIENT = CONFIG.replace("port:", "header_timeout: 1, port:")
FEW = CONFIG.replace("port:", "max_connections: 40, port:")
SCRIPT = """
import attrs
from agentgateway import wiring
from agentgateway.cli.main import main
limits = wiring.server_limits
wiring.server_limits = lambda gateway: attrs.evolve(limits(gateway), body_grace=1.0)
main()
"""
QUICK = (sys.executable, "-c", SCRIPT, "start", "-c")
"""A gateway that waits for a second, not for thirty, for a body that does not come on."""
SLOW = 300
IDLE = 10_000
SPARE = 300
MOST = 60 << 20
"""Bytes that 10,000 idle connections may take."""
DESCRIPTORS = 100


def opened(port: int, count: int) -> list[socket.socket]:
    """Connections that nobody uses."""
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


async def said_and_closed(idle: socket.socket) -> bytes:
    """What the gateway says before it closes a connection."""
    idle.setblocking(False)
    heard = b""
    while True:
        try:
            data = idle.recv(65_536)
        except BlockingIOError:
            await pause(0.02)
            continue
        if not data:
            idle.close()
            return heard
        heard += data


class ConnectionTests(TestCase):
    """A gateway in its own process, and hundreds of callers that are up to no good."""

    timeout = 60

    async def setting(self, config: str = CONFIG, command: tuple[str, ...] = GATEWAY) -> Gateway:
        """A gateway that has answered a call already."""
        _, provider = await start_standin(self)
        gateway = await start(self, provider, config, command)
        self.assertEqual(await self.call(gateway), 200)
        return gateway

    async def call(self, gateway: Gateway) -> int:
        """One call on a connection of its own; its status."""
        return (await ask(self, gateway.port, CALL)).status

    def test_slow_heads(self) -> Any:
        """300 heads that come a byte at a time are closed with 408 at their deadline; other calls go on meanwhile."""

        async def scenario() -> None:
            gateway = await self.setting(IMPATIENT)
            slow = opened(gateway.port, SLOW)
            closed = gatherResults([ensureDeferred(said_and_closed(one)) for one in slow])
            for one in slow:
                one.send(b"GET / HTTP/1.1\r\nHost: x\r\nx-slow: ")
            calls = []
            while not closed.called:
                for one in slow:
                    try:
                        one.send(b"y")
                    except OSError:
                        continue  # it is closed already
                began = reactor.seconds()
                self.assertEqual(await self.call(gateway), 200)
                calls.append(reactor.seconds() - began)
                await pause(0.02)
            for heard in await closed:
                self.assertTrue(heard.startswith(b"HTTP/1.1 408 "), heard)
            print(f"beside {SLOW} slow heads: {len(calls)} calls, the slowest took {max(calls) * 1000:.1f} ms")
            await gateway.stop()

        return ensureDeferred(scenario())

    def test_slow_bodies(self) -> Any:
        """300 bodies that stop in the middle are refused with 408 at their deadline and cost nothing; other calls go on."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG, QUICK)
            callers = [await call_in(self, gateway.port) for _ in range(SLOW)]
            answers = gatherResults([caller.done for caller in callers])
            for caller in callers:
                caller.transport.write(CALL[:-10])
            calls = 0
            while not answers.called:
                self.assertEqual(await self.call(gateway), 200)
                calls += 1
                await pause(0.02)
            self.assertEqual({(answer.status, answer.ended) for answer in await answers}, {(408, True)})
            self.assertGreater(calls, 2)
            slow = [record for record in gateway.records if record["status"] == 408]
            self.assertEqual([record["cost_usd"] for record in slow], [0] * SLOW)
            await gateway.check_books(["busy"])
            await gateway.stop()

        return ensureDeferred(scenario())

    def test_idle(self) -> Any:
        """10,000 idle connections take less than 60 MB, and a call beside them is answered."""
        soft, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, limit))
        count = min(IDLE, limit - SPARE)
        if count < IDLE:
            print(f"idle connections: only {count}, not {IDLE}, because `ulimit -Hn` is {limit}")

        async def scenario() -> None:
            gateway = await self.setting()
            before = gateway.process.resident
            idle = opened(gateway.port, count)
            await until(lambda: gateway.descriptors > count, 20)
            taken = gateway.process.resident - before
            began = reactor.seconds()
            self.assertEqual(await self.call(gateway), 200)
            took = reactor.seconds() - began
            print(f"{count} idle connections: {taken / 2**20:.1f} MB; a fresh call {took * 1000:.1f} ms")
            self.assertLess(taken, MOST * count / IDLE)
            for one in idle:
                one.close()
            await until(lambda: gateway.descriptors < SPARE, 20)
            await gateway.stop()

        return ensureDeferred(scenario())

    def test_too_many(self) -> Any:
        """Above `max_connections` a caller is told 503 and when to come again; those inside go on, an operator gets in."""

        async def scenario() -> None:
            gateway = await self.setting(FEW)
            inside = await call_in(self, gateway.port)
            self.assertEqual((await inside.ask(CALL)).status, 200)
            idle = opened(gateway.port, 80)
            refused = await ask(self, gateway.port, CALL)
            told = (refused.status, refused.one(b"x-agentgateway-reason"), refused.one(b"retry-after"))
            self.assertEqual(told, (503, "overloaded", "1"))
            self.assertEqual(refused.one(b"connection"), "close")
            self.assertEqual((await gateway.manage(b"POST", b"/api/agents/busy/pause", b"{}")).status, 200)
            self.assertEqual((await gateway.manage(b"POST", b"/api/agents/busy/resume", b"{}")).status, 200)
            self.assertEqual((await inside.ask(CALL)).status, 200)
            crowd = opened(gateway.port, 80)
            heard = await said_and_closed(crowd.pop())
            self.assertTrue(heard.startswith(b"HTTP/1.1 503 "), heard)
            self.assertEqual((await inside.ask(CALL)).status, 200)
            idle += crowd
            for one in idle:
                one.close()
            await self.again(gateway)

        return ensureDeferred(scenario())

    async def again(self, gateway: Gateway) -> None:
        """Wait until fresh callers are served."""
        deadline = reactor.seconds() + 10
        status = 0
        while status != 200 and reactor.seconds() < deadline:
            try:
                status = await self.call(gateway)
            except Exception:
                await pause(0.05)
        self.assertEqual(status, 200)

    def test_out_of_descriptors(self) -> Any:
        """Without file descriptors it does not spin or die, and recovers by itself when there are some again."""

        async def scenario() -> None:
            limited = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", *GATEWAY)
            gateway = await self.setting(command=limited)
            inside = await call_in(self, gateway.port)
            self.assertEqual((await inside.ask(CALL)).status, 200)
            idle = opened(gateway.port, 3 * DESCRIPTORS)
            await until(lambda: gateway.descriptors >= DESCRIPTORS - 2)
            before, began = cpu(gateway), reactor.seconds()
            await pause(1)
            busy = (cpu(gateway) - before) / (reactor.seconds() - began)
            print(f"without descriptors: {busy:.2f} s of CPU in a second")
            self.assertLess(busy, 0.6)
            self.assertIn((await inside.ask(CALL)).status, (200, 502))
            for one in idle:
                one.close()
            await self.again(gateway)
            health = json.loads(bytes((await gateway.get(b"/health")).body))
            self.assertEqual((health["status"], health["in_flight"]), ("ok", 0))
            self.assertEqual(gateway.said.count("Traceback"), 0, gateway.said[-3000:])

        return ensureDeferred(scenario())


def cpu(gateway: Gateway) -> float:
    """Seconds of processor time it has used."""
    with open(f"/proc/{gateway.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
