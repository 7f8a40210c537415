"""What a gateway tells systemd, and what signals make it do: by a process of its own."""

import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import TestCase

from tests.harness import reactor, until
from tests.operate.gateway import CONFIG, Gateway, Load, lost, message, records
from tests.peers import closed_port
from tests.reality.processes import start_standin, write_config


class Systemd(DatagramProtocol):
    """The socket that services tell how they stand; `heard` is what they said."""

    def __init__(self, testcase: Any) -> None:
        folder = mkdtemp(prefix="agw-")  # a short path, as UNIX sockets need it
        testcase.addCleanup(shutil.rmtree, folder)
        self.path = os.path.join(folder, "notify")
        self.heard: list[str] = []
        testcase.addCleanup(reactor.listenUNIXDatagram(self.path, self).stopListening)

    def datagramReceived(self, data: bytes, addr: Any) -> None:
        """One more word."""
        self.heard.append(data.decode())

    @property
    def states(self) -> list[str]:
        """All it said but for signs of life."""
        return [words.partition("=")[0] for words in self.heard if words != "WATCHDOG=1"]


class SystemdTests(TestCase):
    """Type=notify."""

    timeout = 60

    async def begin(self, **environ: str) -> Gateway:
        """A gateway in front of a stand-in."""
        _, provider = await start_standin(self)
        port = closed_port()
        gateway = Gateway(self, write_config(self, port, provider, CONFIG), port)
        gateway.environ = environ
        await gateway.start()
        return gateway

    def changes(self, gateway: Gateway) -> list[str]:
        """The reasons of the log's records of changes."""
        return [one["reason"] for one in records(gateway.folder) if one["method"] == "SIGHUP"]

    def test_notify(self) -> Any:
        """It says READY, RELOADING with the time and READY again, STOPPING, and goes on giving signs of life."""

        async def scenario() -> None:
            systemd = Systemd(self)
            gateway = await self.begin(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="100000")
            await until(lambda: systemd.states == ["READY"])
            await until(lambda: systemd.heard.count("WATCHDOG=1") > 4)
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            gateway.send(signal.SIGHUP)
            await until(lambda: systemd.states == ["READY", "RELOADING", "READY"])
            [reloading] = [words for words in systemd.heard if words.startswith("RELOADING")]
            told = dict(line.split("=") for line in reloading.split("\n"))
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self.assertTrue(before <= int(told["MONOTONIC_USEC"]) <= after)
            gateway.send(signal.SIGTERM)
            await gateway.ended()
            await until(lambda: systemd.states[-1] == "STOPPING")
            self.assertEqual(len(systemd.states), 4)

        return ensureDeferred(scenario())

    def test_abstract_socket(self) -> Any:
        """An abstract socket, whose name begins with an @, is told too."""

        async def scenario() -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
                name = f"agw-{os.getpid()}-{id(self)}"
                listening.bind("\0" + name)
                listening.setblocking(False)
                await self.begin(NOTIFY_SOCKET="@" + name)
                self.assertEqual(listening.recv(100), b"READY=1")

        return ensureDeferred(scenario())

    def test_reload(self) -> Any:
        """SIGHUP takes a good file over and records it; of a broken one it logs each mistake and changes nothing."""

        async def scenario() -> None:
            gateway = await self.begin()
            file, right = Path(gateway.path), Path(gateway.path).read_text()
            file.write_text(right.replace("coder: {", "tester: {rate_limit: never, "))
            gateway.send(signal.SIGHUP)
            await until(lambda: b"not reloaded" in gateway.process.err)
            self.assertIn(b"gateway.yaml:8: agents.tester.rate_limit: expected", gateway.process.err)
            self.assertEqual((self.changes(gateway), "id" in await gateway.agent("coder")), ([], True))
            file.write_text(right.replace("coder: {", "tester: {"))
            gateway.send(signal.SIGHUP)
            await until(lambda: self.changes(gateway) != [])
            self.assertEqual(self.changes(gateway), ["signal: agents added tester; agents removed coder"])
            self.assertEqual((await gateway.agent("tester"))["id"], "tester")
            self.assertNotIn(b"Traceback", gateway.process.err)

        return ensureDeferred(scenario())

    def test_rotation(self) -> Any:
        """Renaming the log and SIGUSR1, over and over under load: each record is in one of the files, whole."""

        async def scenario() -> None:
            gateway = await self.begin()
            log = gateway.folder / "audit.jsonl"
            load = Load(self, gateway.port, 100, message(b"busy"))
            for number in range(5):
                await until(lambda: log.exists() and log.stat().st_size > 5_000)
                log.rename(gateway.folder / f"old-{number}.jsonl")
                gateway.send(signal.SIGUSR1)
                await until(log.exists)
            await load.stop()
            gateway.send(signal.SIGTERM)
            await gateway.ended()
            names = ["audit.jsonl", *(f"old-{number}.jsonl" for number in range(5))]
            found = [one["id"] for name in names for one in records(gateway.folder, name)]
            self.assertEqual((load.failures, lost(load.answers)), ([], []))
            wanted = sorted(answer.one(b"x-agentgateway-request-id") for answer in load.answers)
            self.assertEqual(sorted(found), wanted)

        return ensureDeferred(scenario())


class StateTests(TestCase):
    """What a gateway is when it starts again."""

    timeout = 60
    begin = SystemdTests.begin

    def test_restart(self) -> Any:
        """Spend, pauses and caps survive SIGTERM, and SIGKILL too."""

        async def scenario() -> None:
            gateway = await self.begin()
            for _ in range(3):
                self.assertEqual(await gateway.call(b"researcher"), (200, ""))
            await gateway.run("pause", "coder", "--reason", "for the night")
            await gateway.run("budget", "researcher", "--daily", "7.5", "--hourly", "none")
            before = await self.standing(gateway)
            for number in (signal.SIGTERM, signal.SIGKILL):
                gateway.send(number)
                await gateway.process.ended
                await gateway.start()
                self.assertEqual(await self.standing(gateway), before)
            self.assertEqual(await gateway.call(b"coder"), (403, "agent_paused"))

        return ensureDeferred(scenario())

    async def standing(self, gateway: Gateway) -> str:
        """What has to survive."""
        kept = ("id", "pause_reason", "total_cost", "cost_this_hour", "cost_today", "call_count", "budget")
        found = [await gateway.agent(name) for name in ("researcher", "coder")]
        self.assertGreater(found[0]["total_cost"], 0)
        self.assertEqual(found[0]["budget"]["max_cost_per_day"], 7.5)
        self.assertEqual((found[1]["status"], found[1]["pause_reason"]), ("paused", "for the night"))
        return json.dumps([{name: one[name] for name in kept} for one in found])
