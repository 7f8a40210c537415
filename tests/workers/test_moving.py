"""From one process to workers and back: what was spent stays spent, who is paused stays paused."""

from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from agentgateway.domain.money import NANO
from tests.harness import until
from tests.operate.gateway import Gateway, later, message
from tests.peers import ask
from tests.reality.processes import start_standin
from tests.workers.gateway import CONFIG, Workers

SUMS = ("cost_today", "total_cost", "call_count", "input_tokens", "output_tokens")


class MovingTests(TestCase):
    """The same folder, and a file that changes."""

    timeout = 120

    async def calls(self, gateway: Workers, count: int) -> None:
        """Some, on connections of their own."""
        for _ in range(count):
            self.assertEqual((await ask(self, gateway.port, message(b"researcher"))).status, 200)

    async def sums(self, gateway: Workers) -> list[Any]:
        """What the agent has spent and done, by whoever is asked."""
        view = await gateway.get(b"/api/agents/researcher")
        return [round(view[name] * NANO) for name in SUMS]

    async def end(self, gateway: Workers) -> None:
        """A good end."""
        gateway.stop()
        await gateway.ended()

    async def agree(self, gateway: Workers, sums: list[Any]) -> None:
        """Whoever is asked comes to say this, and that the other agent is paused."""
        found: list[Any] = []
        for _ in range(200):
            found = [await self.sums(gateway) for _ in range(6)]
            found += [(await gateway.get(b"/api/agents/coder"))["status"]]
            if found == [sums] * 6 + ["paused"]:
                return
            await later(0.1)
        self.assertEqual(found, [sums] * 6 + ["paused"])

    async def test_there_and_back(self) -> None:
        """One process becomes three workers, these two, those one process; in between Redis forgets everything."""
        _, provider = await start_standin(self)
        gateway = Workers(self, provider, CONFIG.replace("agents:\n", "agents:\n  coder: {{}}\n"))
        path = Path(gateway.path)
        shared = path.read_text()
        alone = "\n".join(line for line in shared.splitlines() if not line.startswith(("store", "workers")))
        path.write_text(alone)
        await Gateway.start(gateway)
        await self.calls(gateway, 3)
        await gateway.run("pause", "coder")
        first = sums = await self.sums(gateway)
        await self.end(gateway)
        for count in (3, 2, 1):
            path.write_text(shared.replace("workers: 2", f"workers: {count}"))
            await Gateway.start(gateway)
            await until(lambda: count == 1 or len(gateway.pids) == count, 20)  # noqa: B023 - called at once
            await self.agree(gateway, sums)
            await self.calls(gateway, 12)
            sums = [one + 4 * more for one, more in zip(sums, first, strict=True)]
            await self.agree(gateway, sums)
            await self.end(gateway)
            gateway.redis.kill()
            gateway.redis.start()
