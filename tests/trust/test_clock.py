"""Clocks that are wrong, and that are set while the gateway runs: no storm of timers, no freeze, no window twice."""

import json
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SkipTest, TestCase

from tests.governance.books import nano
from tests.peers import ask, closed_port, post
from tests.reality.processes import GATEWAY, start_standin, write_config
from tests.trust.gateway import CONFIG, Gateway, pause
from tests.trust.test_connections import cpu

BODY = b'{"model":"priced","max_tokens":40,"messages":[{"role":"user","content":"hello"}]}'
CALL = post(b"/v1/messages", BODY, (b"x-agent-id", b"writer"))
LIMITED = CONFIG.replace("agents:", "agents:\n  writer: {{rate_limit: 5/hour}}").replace(
    "port:", "timezone: ZONE, port:"
)
STEPS = ("+3600", "-3600", "+86400", "-86400", "+0")
DAYS = {
    "a leap day": ("2028-02-28 23:59:57", "UTC", True),
    "behind a leap day": ("2028-02-29 23:59:57", "UTC", True),
    "an hour left out": ("2027-03-28 01:59:57", "Europe/Berlin", False),
    "an hour twice": ("2027-10-31 02:59:57", "Europe/Berlin", False),
    "a new year": ("2027-12-31 23:59:57", "America/New_York", True),
}
"""Local time three seconds before something turns, and whether a new day begins there."""


class ClockTests(TestCase):
    """A gateway in its own process whose wall clock is set while it runs."""

    timeout = 90

    async def setting(self, when: str, zone: str = "UTC", config: str = LIMITED) -> Gateway:
        """A gateway that believes in `when`: an offset in seconds."""
        if shutil.which("faketime") is None:
            raise SkipTest("there is no faketime on this machine (Debian: faketime)")
        _, provider = await start_standin(self)
        port = closed_port()
        path = write_config(self, port, provider, config.replace("ZONE", zone))
        self.set_clock(path, when)
        [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        env = (f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={path}.time", "FAKETIME_NO_CACHE=1", "TZ=UTC")
        gateway = Gateway(self, path, port, ("env", *env, "FAKETIME_DONT_FAKE_MONOTONIC=1", *GATEWAY))
        await gateway.start()
        return gateway

    def set_clock(self, path: str, when: str) -> None:
        """Set the process's wall clock."""
        Path(f"{path}.time").write_text(when + "\n")

    async def calms_down(self, gateway: Gateway, step: str) -> None:
        """No timer goes on without a pause: within a few seconds there is one in which it does little."""
        for _ in range(6):
            before, began = cpu(gateway), time.monotonic()
            await pause(1.2)
            if (cpu(gateway) - before) / (time.monotonic() - began) < 0.6:  # it is all of it in a storm of timers
                return
        self.fail(f"{step}: it does not come to rest")

    def test_steps(self) -> Any:
        """Set forward and back by hours and days: calls go on, the rate neither refills nor sinks, the books agree."""

        async def scenario() -> None:
            gateway = await self.setting("+0")
            statuses = [(await ask(self, gateway.port, CALL)).status for _ in range(5)]
            self.assertEqual(statuses, [200] * 5)
            for step in STEPS:
                self.set_clock(gateway.path, step)
                answers = 0
                limited = await ask(self, gateway.port, CALL)
                self.assertEqual(limited.status, 429, step)
                self.assertLessEqual(int(limited.one(b"retry-after")), 720, step)
                free = post(b"/v1/messages", BODY, (b"x-agent-id", b"other"), (b"x-standin-interval", b"0.02"))
                for _ in range(3):
                    answers += (await ask(self, gateway.port, free)).status == 200
                await self.calms_down(gateway, step)
                agent = await gateway.agent("writer")
                self.assertEqual(answers, 3, step)
                self.assertTrue(0 <= agent["rate_limit"]["available"] < 1, (step, agent["rate_limit"]))
            await gateway.check_books(["writer", "other"])
            self.assertEqual(len(gateway.records), 5 + 4 * len(STEPS))
            await gateway.stop()

        return ensureDeferred(scenario())

    def turns(self, when: str, zone: str, day: bool) -> Any:
        """A window turns while the gateway runs: the hour begins at nothing, the day only where one begins."""

        async def scenario() -> None:
            turn = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone)).timestamp() + 3
            gateway = await self.setting(f"{turn - 120 - time.time():+.1f}", zone)
            self.set_clock(gateway.path, f"{turn - 60 - time.time():+.1f}")  # however long its start took
            self.assertEqual((await ask(self, gateway.port, CALL)).status, 200, gateway.said)
            first = await gateway.agent("writer")
            self.set_clock(gateway.path, f"{turn - 1 - time.time():+.1f}")
            await pause(1.5)
            self.assertEqual((await ask(self, gateway.port, CALL)).status, 200, gateway.said)
            second = await gateway.agent("writer")
            each = nano(gateway.records[0])
            told = [round(agent["cost_this_hour"] * 1e9) for agent in (first, second)]
            self.assertEqual(told, [each, each])
            self.assertEqual(round(second["cost_today"] * 1e9), each if day else 2 * each)
            self.assertEqual(round(second["total_cost"] * 1e9), 2 * each)

        return ensureDeferred(scenario())

    def test_leap_day(self) -> Any:
        """At the beginning of the 29th of February."""
        return self.turns(*DAYS["a leap day"])

    def test_behind_a_leap_day(self) -> Any:
        """At its end."""
        return self.turns(*DAYS["behind a leap day"])

    def test_hour_left_out(self) -> Any:
        """Where summer time begins."""
        return self.turns(*DAYS["an hour left out"])

    def test_hour_twice(self) -> Any:
        """Where it ends: the same hour of the clock, but another hour."""
        return self.turns(*DAYS["an hour twice"])

    def test_new_year(self) -> Any:
        """At midnight elsewhere."""
        return self.turns(*DAYS["a new year"])

    def test_another_zone(self) -> Any:
        """Another time zone by a reload: the total stays, the day is counted anew from the hours that belong to it."""

        async def scenario() -> None:
            gateway = await self.setting("+0")
            for zone in ("Asia/Kathmandu", "Pacific/Kiritimati", "America/St_Johns", "UTC"):
                text = Path(gateway.path).read_text()
                old = text.partition("timezone: ")[2].partition(",")[0]
                Path(gateway.path).write_text(text.replace(f"timezone: {old}", f"timezone: {zone}"))
                answer = await gateway.manage(b"POST", b"/api/reload")
                self.assertEqual(answer.status, 200, bytes(answer.body))
                self.assertEqual((await ask(self, gateway.port, CALL)).status, 200)
                agent = await gateway.agent("writer")
                self.assertGreater(agent["cost_this_hour"], 0)
                self.assertGreaterEqual(agent["cost_today"], agent["cost_this_hour"])
                self.assertLessEqual(agent["cost_today"], agent["total_cost"])
            await gateway.check_books(["writer"])
            self.assertEqual(json.loads(bytes((await gateway.get(b"/health")).body))["status"], "ok")

        return ensureDeferred(scenario())
