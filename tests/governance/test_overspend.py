"""Many calls at once against caps that run out in the middle."""

import random
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.governance.books import Wish, account, all_at_once, check_books, config, mixed, nano, served
from tests.harness import start_gateway, until

AGENTS = ["a", "b", "c", "d"]
CAPS = {"a": 0.02, "b": 0.1, "c": 0.2, "d": 0.5}
RUNS = 20
CALLS = 500


def capped(enforcement: str) -> str:
    """Agents with caps in dollars."""
    lines = (
        f"  {name}: {{{{budget: {{{{max_cost_per_day: {CAPS[name]}, enforcement: {enforcement}}}}}}}}}\n"
        for name in AGENTS
    )
    return config("".join(lines))


class OverspendTests(TestCase):
    """What is spent, however the calls interleave."""

    async def run_once(self, enforcement: str, seed: int, waves: int) -> Any:
        """One gateway, and all the calls in so many waves; the gateway and the records by agent."""
        dice = random.Random(seed)
        running = await start_gateway(self, capped(enforcement))
        for _ in range(waves):
            await all_at_once(self, running, mixed(dice, AGENTS, CALLS // waves))
        await until(lambda: running.quiet)
        return running

    def test_hard(self) -> Any:
        """Under `hard` no cap is ever passed, and log, ledger and provider agree to the nano-dollar."""

        async def scenario() -> None:
            for seed in range(RUNS):
                running = await self.run_once("hard", seed, 1 + seed % 3)
                spent = check_books(self, running, AGENTS)
                self.assertEqual(spent, served(running), f"seed {seed}")
                for name, cap in CAPS.items():
                    self.assertLessEqual(account(running, name).life.cost, cap * 10**9, f"seed {seed}, agent {name}")
                outcomes = {record["reason"] for record in running.records}
                self.assertIn("budget_exceeded", outcomes, f"seed {seed}: no cap ran out")

        return ensureDeferred(scenario())

    test_hard.timeout = 300  # type: ignore[attr-defined]

    def test_estimate(self) -> Any:
        """Under `estimate` a cap is passed by no more than one whole call and one chunk of a stream."""

        async def scenario() -> None:
            passed = cut = 0
            for seed in range(RUNS):
                running = await self.run_once("estimate", seed, 5)
                check_books(self, running, AGENTS)
                cut += sum(record["outcome"] == "cut" for record in running.records)
                for name, cap in CAPS.items():
                    mine = [one for one in running.records if one["agent"] == name]
                    whole = max((nano(one) for one in mine if not one["stream"]), default=0)
                    chunk = max((nano(one) for one in mine if one["stream"]), default=0)
                    over = account(running, name).life.cost - cap * 10**9
                    passed += over > 0
                    self.assertLessEqual(over, whole + chunk, f"seed {seed}, agent {name}")
            self.assertGreater(passed, 0)
            self.assertGreater(cut, 0)

        return ensureDeferred(scenario())

    test_estimate.timeout = 300  # type: ignore[attr-defined]

    def test_money_for_three(self) -> Any:
        """Of fifty calls at once with money for three, exactly three pass under `hard`; no other is even sent."""

        async def scenario() -> None:
            wish = Wish("few", output=50)
            body = len(wish.raw.partition(b"\r\n\r\n")[2])
            worst = (body * 3_000 + 50 * 15_000) / 10**9
            agents = f"  few: {{{{budget: {{{{max_cost_total: {worst * 3 + worst / 9:.9f}, enforcement: hard}}}}}}}}\n"
            running = await start_gateway(self, config(agents))
            answers = await all_at_once(self, running, [wish] * 50)
            statuses = [answer.status for answer in answers]
            self.assertEqual((statuses.count(200), statuses.count(402)), (3, 47))
            assert running.standin is not None
            self.assertEqual(running.standin.served.calls, 3)
            check_books(self, running, ["few"])

        return ensureDeferred(scenario())
