"""Several workers as processes while the Redis that they share is away: still one gateway to operators."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.harness import until
from tests.workers.gateway import Workers, started


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
