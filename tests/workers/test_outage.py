"""Several workers as processes while the Redis that they share is away: still one gateway to operators."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.harness import until
from tests.workers.gateway import Workers, board, started


class OutageTests(TestCase):
    """Redis is killed, and comes back empty."""

    timeout = 120

    async def each(self, gateway: Workers, path: bytes, well: Any) -> None:
        """Wait until every worker says, of itself, what it should."""
        while not all(map(well, await gateway.of_each(path))):
            pass

    async def test_operators(self) -> None:
        """Pauses, resumes and caps reach every worker all the same, and Redis when it is back."""
        gateway = await started(self)
        gateway.redis.kill()
        said = await gateway.run("pause", "researcher", "--reason", "enough")
        self.assertIn("is paused: enough", said)
        await self.each(gateway, b"/api/agents/researcher", lambda one: one["pause_reason"] == "enough")
        for _ in range(8):  # on connections of their own: to both
            self.assertEqual(await gateway.call(b"researcher"), (403, "agent_paused"))
        await gateway.run("budget", "researcher", "--hourly", "2")
        await self.each(gateway, b"/api/budget/researcher", lambda one: one["max_cost_per_hour"] == 2)
        self.assertIn("may call", await gateway.run("pause", "-r", "researcher"))
        await self.each(gateway, b"/api/agents/researcher", lambda one: one["pause_reason"] is None)
        await gateway.run("pause", "researcher", "--reason", "again")
        gateway.redis.start()
        await until(lambda: b"again" in gateway.redis.command("HGET", "ag:kept", "standing researcher"), 20)
        await until(lambda: gateway.redis.command("HEXISTS", "ag:a:researcher", "caps") == b":1\r\n", 20)
        await self.each(gateway, b"/api/agents/researcher", lambda one: one["pause_reason"] == "again")
        changes = [one for one in gateway.records() if one["method"] in ("POST", "PUT") and one["provider"] is None]
        self.assertEqual(len([one for one in changes if one["outcome"] == "ok"]), 4)
        gateway.stop()
        await gateway.ended()

    async def test_seen(self) -> None:
        """Health, status and dashboard say that Redis is away; calls of all workers are counted, whichever answers."""
        gateway = await started(self)
        viewer = await board(self, gateway)
        for _ in range(10):
            self.assertEqual((await gateway.call(b"busy"))[0], 200)
        gateway.redis.kill()
        for _ in range(20):
            self.assertEqual((await gateway.call(b"busy"))[0], 200)
        await until(lambda: viewer.look().gateway.get("store") == "degraded", 20)
        await until(lambda: viewer.look().rows["busy"]["call_count"] == 30, 20)
        served = [one["call_count"] for one in await gateway.of_each(b"/api/agents/busy")]
        self.assertTrue(all(count < 30 for count in served), "one worker has served all")
        for _ in range(6):  # on connections of their own: both answer
            self.assertEqual((await gateway.get(b"/health"))["store"], "degraded")
            status = await gateway.get(b"/api/status")
            self.assertEqual(status["gateway"]["store"], "degraded")
            counts = {one["id"]: one["call_count"] for one in status["agents"]}
            self.assertEqual((counts["busy"], (await gateway.agent("busy"))["call_count"]), (30, 30))
        self.assertIn("the shared store is away", await gateway.run("status"))
        self.assertTrue(any("shared store does not answer" in alert for alert in viewer.alerts))
        gateway.redis.start()
        await until(lambda: viewer.look().gateway["store"] == "ok", 30)
        await self.each(gateway, b"/api/agents/busy", lambda one: one["call_count"] == 30)
        self.assertEqual((await gateway.get(b"/health"))["store"], "ok")
        gateway.stop()
        await gateway.ended()
