"""The shared store hangs, dies and forgets: what goes on, what is refused, and that all is told once it is back."""

import os
import random
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.cluster.members import Members, members
from tests.cluster.test_faults import pause
from tests.governance.books import Wish, mixed
from tests.harness import until

FROZEN = float(os.environ.get("FROZEN", "2"))
"""Seconds for which the store hangs."""
CAP = 0.3
AGENTS = f"""
  hard: {{{{budget: {{{{max_cost_per_day: {CAP}, enforcement: hard}}}}}}}}
  loose: {{{{budget: {{{{max_cost_per_day: {CAP}}}}}}}}}
  free: {{{{}}}}
  paced: {{{{rate_limit: "8/min"}}}}
"""
NAMES = ["hard", "loose", "free"]


class OutageTests(TestCase):
    """Four gateways whose store is in trouble."""

    timeout = 120

    async def work(self, fleet: Members, seed: int, calls: int = 60) -> list[Any]:
        """Calls of all kinds to all gateways; their answers."""
        dice = random.Random(seed)
        return await fleet.call(mixed(dice, NAMES, calls), dice)

    async def agree(self, fleet: Members) -> None:
        """Wait until every gateway says of every agent what all have spent together."""
        await fleet.quiet()

        def said(name: str) -> set[int]:
            return {one.service.live.fleet.get(name).account.total.cost for one in fleet.gateways}

        for _ in range(40):
            if all(said(name) == {fleet.spent(name)} for name in NAMES):
                break
            await pause(0.5)
        for name in NAMES:
            self.assertEqual(said(name), {fleet.spent(name)}, name)
            self.assertEqual(fleet.spent(name), fleet.logged(name))
        self.assertLessEqual(fleet.spent("hard"), CAP * 10**9)

    def reasons(self, answers: list[Any]) -> set[str]:
        """Why calls were refused."""
        return {answer.one(b"x-agentgateway-reason") for answer in answers if answer.status >= 400}

    async def away(self, fleet: Members) -> None:
        """Wait until every gateway has noticed."""
        await until(lambda: all(one.service.membership.link.away for one in fleet.gateways), 5)

    async def back(self, fleet: Members, timeout: float = 20) -> None:
        """Wait until every gateway borrows again."""
        await until(lambda: not any(one.service.membership.link.away for one in fleet.gateways), timeout)

    def test_frozen(self) -> Any:
        """While the store hangs calls go on by what is borrowed; `hard` is refused beyond that, the others are not."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS)
            await self.work(fleet, 1)
            fleet.redis.freeze()
            await self.away(fleet)
            answers = await self.work(fleet, 2) + await self.work(fleet, 3)
            self.assertEqual(self.reasons(answers) - {"budget_exceeded"}, {"overloaded"})
            refused = [answer for answer in answers if answer.status == 503]
            self.assertEqual({answer.one(b"retry-after") for answer in refused}, {"1"})
            free = await fleet.call([Wish("free"), Wish("loose")] * 4)
            self.assertEqual({answer.status for answer in free}, {200})
            paced = await fleet.call([Wish("paced")] * 40)
            self.assertEqual([answer.status for answer in paced].count(200), 8)
            await pause(FROZEN)
            fleet.redis.thaw()
            await self.back(fleet)
            await self.work(fleet, 4)
            await self.agree(fleet)
            for one in fleet.gateways:
                told = [
                    alert.text
                    for alert in one.service.alerts.recent
                    if alert.kind == "store" and "shared" in alert.text
                ]
                self.assertEqual(["answers again" in text for text in told], [False, True])

        return ensureDeferred(scenario())

    def test_killed(self) -> Any:
        """The store dies and comes back empty: nothing is granted until all have told again, and no spending is forgotten."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS)
            await self.work(fleet, 1)
            fleet.redis.kill()
            await self.away(fleet)
            await self.work(fleet, 2)
            fleet.redis.start()
            await until(lambda: all(one.service.membership.link.up for one in fleet.gateways), 5)
            await self.work(fleet, 3)
            await self.back(fleet)
            answers = await self.work(fleet, 4)
            self.assertNotIn("overloaded", self.reasons(answers))
            await self.agree(fleet)

        return ensureDeferred(scenario())

    def test_old_file(self) -> Any:
        """The store comes back from a file in which much is missing that was spent since: no cap is passed, all is told."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS)
            await self.work(fleet, 1, 20)
            fleet.redis.command("SAVE")
            await self.work(fleet, 2)
            fleet.redis.kill()
            fleet.redis.start()
            later = await fleet.add()
            await until(lambda: later.service.membership.link.grace, 5)
            await self.work(fleet, 3)
            await self.back(fleet)
            answers = await self.work(fleet, 4)
            self.assertNotIn("overloaded", self.reasons(answers))
            await self.agree(fleet)

        return ensureDeferred(scenario())

    def test_flushed(self) -> Any:
        """Somebody empties the store: the same, without an outage; a pause is still known to one who comes later."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS)
            first = fleet.gateways[0].service.live
            first.fleet.pause(first.fleet.get("paced"), "operator", "for now", first.moment())
            await self.work(fleet, 1)
            fleet.redis.command("FLUSHALL")
            await self.work(fleet, 2)
            await pause(1.5)
            later = await fleet.add()
            await until(lambda: later.service.live.fleet.get("paced").pause is not None, 2)
            await self.back(fleet)
            answers = await self.work(fleet, 3)
            self.assertNotIn("overloaded", self.reasons(answers))
            await self.agree(fleet)

        return ensureDeferred(scenario())

    def test_spend(self) -> Any:
        """With `on_outage: spend` even `hard` goes on, by the caps as far as they are known here; it is told afterwards."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS, 2, "spend")
            await self.work(fleet, 1, 10)
            fleet.redis.freeze()
            await self.away(fleet)
            answers = await fleet.call([Wish("hard", size=10, output=20)] * 30)
            self.assertEqual({answer.status for answer in answers}, {200})
            fleet.redis.thaw()
            await self.back(fleet)
            await self.agree(fleet)

        return ensureDeferred(scenario())

    def test_refuse(self) -> Any:
        """With `on_outage: refuse` nobody with a cap spends more than is borrowed; who has none goes on."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS, 2, "refuse")
            await self.work(fleet, 1, 10)
            fleet.redis.freeze()
            await self.away(fleet)
            answers = await fleet.call([Wish("loose")] * 60)
            self.assertIn(503, {answer.status for answer in answers})
            answers = await fleet.call([Wish("free")] * 10)
            self.assertEqual({answer.status for answer in answers}, {200})
            fleet.redis.thaw()
            await self.back(fleet)
            await self.agree(fleet)

        return ensureDeferred(scenario())
