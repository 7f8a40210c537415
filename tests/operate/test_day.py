"""The day of an operator, over the real command line: one gateway, from its start to its end."""

import json
import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.harness import until
from tests.operate.gateway import CONFIG, Gateway, Load, later, lost, message, records
from tests.peers import Caller, call_in, closed_port, request
from tests.reality.processes import listens, spawn, start_standin, write_config

SLOW = ((b"x-standin-chunks", b"8"), (b"x-standin-interval", b"0.1"))
ENDLESS = ((b"x-standin-chunks", b"100"), (b"x-standin-interval", b"0.5"))
HEALTH = request(b"GET", b"/health", None)


class DayTests(TestCase):
    """In order: what a day brings."""

    timeout = 120

    async def begin(self) -> Gateway:
        """A gateway in front of a stand-in."""
        _, provider = await start_standin(self)
        port = closed_port()
        gateway = Gateway(self, write_config(self, port, provider, CONFIG), port)
        await gateway.start()
        return gateway

    def test_day(self) -> Any:
        """Look, pause, resume, cap, raise, reload with a mistake, reload; the log that is followed has all of it."""

        async def scenario() -> None:
            gateway = await self.begin()
            self.assertEqual(await gateway.call(b"researcher"), (200, ""))
            self.assertRegex(await gateway.run("status"), "researcher +active")
            following = spawn(self, *gateway.command("logs", "-f", "--json"))
            await until(lambda: b"\n" in following.out, 20)
            await self.pause(gateway)
            await self.cap(gateway)
            await self.change(gateway)
            gateway.send(signal.SIGTERM)
            await gateway.ended()
            await following.ended
            followed = [json.loads(line) for line in following.out.splitlines()]
            self.assertEqual(followed, records(gateway.folder))
            self.assertEqual([one["method"] for one in followed if one["provider"] is None and one["status"] == 200],
                             ["POST", "POST", "PUT", "PUT", "POST"])  # fmt: skip

        return ensureDeferred(scenario())

    async def pause(self, gateway: Gateway) -> None:
        """A pause refuses calls, a resume lets them through."""
        self.assertIn("is paused: it loops", await gateway.run("pause", "researcher", "--reason", "it loops"))
        self.assertEqual(await gateway.call(b"researcher"), (403, "agent_paused"))
        self.assertEqual(await gateway.call(b"coder"), (200, ""))
        self.assertIn("may call", await gateway.run("pause", "-r", "researcher"))
        self.assertEqual(await gateway.call(b"researcher"), (200, ""))

    async def cap(self, gateway: Gateway) -> None:
        """A cap below what is spent pauses the agent by itself; raised, the agent goes on."""
        self.assertIn("remains", await gateway.run("budget", "researcher", "--hourly", "0.000001"))
        self.assertEqual(await gateway.call(b"researcher"), (402, "budget_exceeded"))
        self.assertRegex(await gateway.run("status"), "researcher +paused")
        self.assertIn("raise it", await gateway.run("pause", "-r", "researcher", status=1))
        await gateway.run("budget", "researcher", "--hourly", "10")
        self.assertEqual(await gateway.call(b"researcher"), (200, ""))

    async def change(self, gateway: Gateway) -> None:
        """A file with a mistake changes nothing; a good one is in force when the command returns."""
        file, right = Path(gateway.path), Path(gateway.path).read_text()
        file.write_text(right.replace("coder: {", "tester: {rate_limit: 50/fortnight, "))
        said = await gateway.run("reload", status=1)
        self.assertIn(f"{gateway.path}:8: agents.tester.rate_limit: expected", said)
        self.assertEqual(said, await gateway.run("check", status=1))
        self.assertEqual((await gateway.agent("coder"))["id"], "coder")
        self.assertEqual((await gateway.agent("tester")).get("id"), None)
        file.write_text(right.replace("coder: {", "tester: {"))
        said = await gateway.run("reload")
        self.assertIn("agents added: tester", said)
        self.assertIn("agents removed: coder", said)
        self.assertEqual((await gateway.agent("researcher"))["budget"]["max_cost_per_hour"], 10)

    def test_end(self) -> Any:
        """SIGTERM loses no call: streams that end in time end well, the others are cut and settled, health says 503."""

        async def scenario() -> None:
            gateway = await self.begin()
            short = [await self.stream(gateway, b"short", *SLOW) for _ in range(20)]
            long = [await self.stream(gateway, b"long", *ENDLESS) for _ in range(5)]
            late = await call_in(self, gateway.port)  # connected, and its call on the way
            checker = await call_in(self, gateway.port)
            self.assertEqual((await checker.ask(HEALTH)).status, 200)
            checker.transport.write(HEALTH[:20])
            gateway.send(signal.SIGTERM)
            await until(lambda: not listens(gateway.port))
            self.assertEqual((await late.ask(message(b"late"))).status, 200)
            self.assertEqual((await self.unhealthy(checker))["status"], "draining")
            await self.all_ended(short, True)
            await self.all_ended(long, False)
            await gateway.ended()
            self.check_ends(gateway, short, long)

        return ensureDeferred(scenario())

    def test_load(self) -> Any:
        """SIGTERM at 200 calls a second: whoever was connected has a whole answer, later callers find nobody there."""

        async def scenario() -> None:
            gateway = await self.begin()
            load = Load(self, gateway.port, 200, message(b"busy", True, (b"x-standin-interval", b"0.02")))
            await until(lambda: len(load.answers) > 50)
            gateway.send(signal.SIGTERM)
            await gateway.ended()
            await load.stop()
            self.assertEqual(lost(load.answers), [])
            self.assertEqual([why for why in load.failures if "ConnectionRefused" not in why], [])
            seen = sorted(answer.one(b"x-agentgateway-request-id") for answer in load.answers)
            self.assertEqual(sorted(one["id"] for one in records(gateway.folder)), seen)

        return ensureDeferred(scenario())

    async def stream(self, gateway: Gateway, agent: bytes, *knobs: tuple[bytes, bytes]) -> Caller:
        """A streamed answer that has begun."""
        caller = await call_in(self, gateway.port)
        caller.transport.write(message(agent, True, *knobs))
        await until(lambda: b"message_start" in caller.answer.body)
        return caller

    async def unhealthy(self, checker: Caller) -> Any:
        """What the rest of a health check, begun before the end and sent within it, is told."""
        await later(0.5)  # the calls that were on their way have been served
        answer = await checker.ask(HEALTH[20:])
        self.assertEqual(answer.status, 503)
        return json.loads(bytes(answer.body))

    async def all_ended(self, callers: list[Caller], well: bool) -> None:
        """Every connection has been closed behind its answer."""
        await gatherResults([caller.closed for caller in callers])
        self.assertEqual({(caller.answer.status, caller.answer.ended) for caller in callers}, {(200, well)})

    def check_ends(self, gateway: Gateway, short: list[Caller], long: list[Caller]) -> None:
        """What callers read, and what the log has."""
        for caller in short:
            self.assertIn(b"message_stop", caller.answer.body)
        for caller in long:
            event, data = bytes(caller.answer.body).strip().split(b"\n\n")[-1].split(b"\n")
            self.assertEqual(event, b"event: error")
            self.assertEqual(json.loads(data.removeprefix(b"data: "))["type"], "error")
        found = records(gateway.folder)
        ends = {(one["agent"], one["outcome"], one["reason"], one["usage"]) for one in found}
        wanted = {
            ("short", "ok", None, "exact"),
            ("long", "cut", "draining", "estimated"),
            ("late", "ok", None, "exact"),
        }
        self.assertEqual(ends, wanted)
        self.assertEqual(len(found), len(short) + len(long) + 1)
        self.assertTrue(all(one["cost_usd"] > 0 and one["output_tokens"] > 0 for one in found))
