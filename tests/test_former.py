"""What workers have left that are not started any more: it counts, and it counts once."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.config.load import parse
from agentgateway.domain.lease import Ask, Synced
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.windows import Calendar
from agentgateway.former import MOST, Former, FormerWorkers
from tests.cluster.members import Members, members
from tests.governance.books import Wish
from tests.harness import Running, stop, until
from tests.stores.live.memory import MemoryLive, MemoryServer

AGENTS = "  soft: {{budget: {{max_cost_per_day: 5}}}}\n  other: {{}}"


class CountedTests(TestCase):
    """Gateways on a redis-server; one is stopped, and its folder becomes that of a worker of the other."""

    timeout = 60

    async def spend(self, fleet: Members, agent: str, calls: int) -> None:
        """Some money."""
        await fleet.call([Wish(agent, size=10, output=100)] * calls)
        await fleet.quiet()

    async def leave(self, fleet: Members) -> str:
        """The latest gateway spends something and leaves for good; gives the state folder of who comes later."""
        state = os.path.abspath(self.mktemp())
        one = await fleet.add(f"{state}/worker-2")
        await self.spend(fleet, "soft", 3)
        await self.spend(fleet, "other", 2)
        fleet.gateways.remove(one)
        await stop(one)
        return state

    def sums(self, gateway: Running, agent: str) -> tuple[list[int], ...]:
        """What it knows of all processes together."""
        service = gateway.service
        state, now = service.live.fleet.get(agent), service.live.moment().wall
        assert state is not None
        account = state.account
        return account.day(now).numbers(), account.total.numbers()

    def knows(self, gateway: Running, sums: tuple[list[int], ...]) -> Callable[[], bool]:
        """Whether it has come to know that of `soft`."""
        return lambda: self.sums(gateway, "soft") == sums

    def test_emptied(self) -> Any:
        """With Redis empty at the start, and emptied again later, what the other one spent is still there."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS, 0)
            state = await self.leave(fleet)
            fleet.redis.kill()
            fleet.redis.start()
            gateway = await fleet.add(state)
            await until(lambda: self.sums(gateway, "soft")[1][1] == 3, 15)
            self.assertEqual(self.sums(gateway, "other")[0][1], 2)
            await self.spend(fleet, "soft", 1)
            sums = self.sums(gateway, "soft")
            self.assertEqual((sums[0][1], sums[1][1]), (4, 4))
            self.assertEqual(sums[1][0], 4 * fleet.spent("soft"))
            link, share = gateway.service.membership.link, gateway.service.live.fleet.get("soft").account.share
            epoch = link.epoch
            fleet.redis.command("FLUSHALL")
            await until(lambda: link.epoch != epoch and not link.grace, 20)
            over = share.seen
            await until(lambda: share.seen > over, 15)  # answered by what has been told again
            self.assertEqual(self.sums(gateway, "soft"), sums)

        return ensureDeferred(scenario())

    def test_once(self) -> Any:
        """Where Redis knows of it already nothing counts twice, however often the other one starts."""

        async def scenario() -> None:
            fleet = await members(self, AGENTS, 1)
            [witness] = fleet.gateways
            state = await self.leave(fleet)
            await until(lambda: self.sums(witness, "soft")[1][1] == 3)
            sums = self.sums(witness, "soft")
            gateway = await fleet.add(state)
            await until(lambda: gateway.service.membership.link.members == 3, 15)
            await until(self.knows(gateway, sums), 15)
            await until(lambda: gateway.service.membership.link.members == 2, 15)  # it is taken for gone again
            self.assertEqual((self.sums(gateway, "soft"), self.sums(witness, "soft")), (sums, sums))

        return ensureDeferred(scenario())


class Telling(MemoryLive):
    """Remembers of each question whether there was more to tell."""

    more: list[bool]

    def sync(self, asks: Sequence[Ask], telling: bool = False) -> Deferred[Synced]:
        """One."""
        self.more.append(telling)
        return super().sync(asks, telling)


class ToldTests(SynchronousTestCase):
    """One that has spent on very many agents."""

    def test_waited_for(self) -> None:
        """As long as there is more to tell, it says so: nothing is lent before that."""
        clock, ledger = Clock(), Ledger(Calendar.of("UTC"))
        for number in range(2 * MOST + 1):
            account = ledger.account(f"a{number}")
            account.settle(0.0, account.hold("1", 5), 5)
        live = Telling(MemoryServer(), "one")
        live.more = []
        former = Former(ledger, lambda: live, clock)
        former.tell()
        self.assertEqual(live.more, [True, True, False])
        self.assertEqual(live.server.data_of(f"a{2 * MOST}")["sum"]["life"][1], 5)


class AloneTests(SynchronousTestCase):
    """Without a shared store."""

    def test_told(self) -> None:
        """What workers have spent is not counted any more, and that is told, once; workers that are started are none."""
        folder, clock = self.mktemp(), Clock()
        os.makedirs(f"{folder}/worker-1")
        with open(f"{folder}/worker-1/ledger.sqlite", "w"):
            told: list[str] = []
        config = parse(f"gateway: {{state_dir: {folder}}}", "f", {})
        service = FormerWorkers(config, None, None, clock.seconds, clock, told.append)
        service.startService()
        clock.pump([1.0] * 3)
        self.assertEqual(len(told), 1)
        self.assertIn("worker-1", told[0])
        self.successResultOf(service.stopService())


class UnreadTests(SynchronousTestCase):
    """Books that cannot be read."""

    def test_told(self) -> None:
        """They are tried again after a while, as their worker may be about to end; then that is told, once."""
        folder, clock = self.mktemp(), Clock()
        os.makedirs(f"{folder}/worker-2")
        with open(f"{folder}/worker-2/ledger.sqlite", "w") as file:
            file.write("no books at all, but longer than a hundred bytes" * 10)
        told: list[str] = []
        store = "store: {live: 'redis://h', history: 'postgresql://h/d'}"
        config = parse(f"gateway: {{state_dir: {folder}}}\n{store}", "f", {})
        service = FormerWorkers(config, None, Link(), clock.seconds, clock, told.append)
        service.startService()
        clock.pump([1.0] * 29)
        self.assertEqual(told, [])
        clock.pump([1.0] * 100)
        self.assertEqual(len(told), 1)
        self.assertIn("worker 2", told[0])
        self.successResultOf(service.stopService())
