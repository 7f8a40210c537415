"""Budgets by the hour and the day through a whole gateway, on a clock that is moved: midnight, summer time, steps back."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from agentgateway.domain.standing import Caps
from tests.governance.books import Ahead, Wish, account, all_at_once, check_books, config
from tests.harness import Running, start_gateway
from tests.peers import Answer

BERLIN = ZoneInfo("Europe/Berlin")
AGENTS = """
  daily: {{budget: {{max_cost_per_day: 0.002, warn_at: [0.5]}}}}
  hourly: {{budget: {{max_cost_per_hour: 0.002}}}}
"""


def at(*when: int, fold: int = 0) -> float:
    """Epoch seconds of a reading of the clocks in Berlin."""
    return datetime(*when, tzinfo=BERLIN, fold=fold).timestamp()  # type: ignore[misc, arg-type]


class WindowTests(TestCase):
    """What a spent budget stops, and when that ends."""

    async def start(self) -> tuple[Running, Ahead]:
        """A gateway in Berlin."""
        text = config(AGENTS).replace("state_dir: {state}", "state_dir: {state}, timezone: Europe/Berlin")
        running = await start_gateway(self, text)
        return running, Ahead(running)

    async def one(self, running: Running, agent: str) -> Answer:
        """One call of a tenth of a cent and more."""
        [answer] = await all_at_once(self, running, [Wish(agent, output=70)])
        return answer

    async def spend(self, running: Running, agent: str) -> Answer:
        """Call until it is refused; the refusal."""
        for _ in range(10):
            answer = await self.one(running, agent)
            if answer.status != 200:
                return answer
        raise AssertionError("it was never refused")

    async def holds_until(self, agent: str, start: float, end: float) -> None:
        """A budget that is spent at `start` is back at `end`, not before; by itself, and by a call."""
        running, clock = await self.start()
        clock.be(start)
        refused = await self.spend(running, agent)
        self.assertEqual((refused.status, refused.one(b"x-agentgateway-reason")), (402, "budget_exceeded"))
        self.assertAlmostEqual(int(refused.one(b"x-agentgateway-budget-reset")), end - start, delta=3)
        state = running.service.live.fleet.get(agent)
        assert state is not None and state.pause is not None
        self.assertEqual((state.pause.by, state.pause.until), ("budget", end))
        clock.be(end - 3)
        clock.settle_down()
        self.assertEqual((await self.one(running, agent)).status, 402)
        clock.be(end + 1)
        clock.settle_down()
        self.assertIsNone(state.pause)
        self.assertEqual((await self.one(running, agent)).status, 200)
        check_books(self, running, [agent])

    def test_days(self) -> Any:
        """A day ends at local midnight, after 24 hours, or 23 or 25 where the clocks change."""

        async def scenario() -> None:
            for start, end in (
                (at(2026, 2, 10, 23, 50), at(2026, 2, 11)),
                (at(2026, 3, 29, 0, 30), at(2026, 3, 30)),
                (at(2026, 10, 25, 0, 30), at(2026, 10, 26)),
            ):
                await self.holds_until("daily", start, end)
            self.assertEqual(at(2026, 3, 30) - at(2026, 3, 29), 23 * 3600)
            self.assertEqual(at(2026, 10, 26) - at(2026, 10, 25), 25 * 3600)

        return ensureDeferred(scenario())

    def test_hours(self) -> Any:
        """An hour ends on the clock hour; the one that comes twice in autumn is two hours with a budget each."""

        async def scenario() -> None:
            twice = at(2026, 10, 25, 2)
            for start, end in (
                (at(2026, 2, 10, 9, 59, 30), at(2026, 2, 10, 10)),
                (at(2026, 3, 29, 1, 30), at(2026, 3, 29, 3)),
                (twice + 60, twice + 3600),
            ):
                await self.holds_until("hourly", start, end)

        return ensureDeferred(scenario())

    def test_without_the_timer(self) -> Any:
        """A call that comes when the window has turned passes, though nothing has looked since."""

        async def scenario() -> None:
            running, clock = await self.start()
            clock.be(at(2026, 2, 10, 9, 59))
            await self.spend(running, "hourly")
            clock.be(at(2026, 2, 10, 10, 0, 1))
            self.assertEqual((await self.one(running, "hourly")).status, 200)

        return ensureDeferred(scenario())

    def test_clock_set_back(self) -> Any:
        """A clock that steps back over the turn of the hour brings no budget back, and loses no spend."""

        async def scenario() -> None:
            running, clock = await self.start()
            clock.be(at(2026, 2, 10, 10, 0, 5))
            await self.spend(running, "hourly")
            spent = account(running, "hourly").life.cost
            for minutes in (-1, -30, 2):
                clock.be(at(2026, 2, 10, 10) + minutes * 60)
                clock.settle_down()
                self.assertEqual((await self.one(running, "hourly")).status, 402)
            self.assertEqual(account(running, "hourly").life.cost, spent)

        return ensureDeferred(scenario())

    def test_warnings(self) -> Any:
        """Each window warns once that a budget nears its end, and says once that it is spent."""

        async def scenario() -> None:
            running, clock = await self.start()
            for day in (10, 11):
                clock.be(at(2026, 2, day, 12))
                clock.settle_down()
                await self.spend(running, "daily")
            alerts = [alert for alert in running.service.alerts.recent if alert.agent == "daily"]
            self.assertEqual([alert.kind for alert in alerts], ["budget", "pause", "resume", "budget", "pause"])
            self.assertIn("50%", alerts[0].text)

        return ensureDeferred(scenario())

    def test_raised_cap(self) -> Any:
        """A cap that is raised lifts the pause at once."""

        async def scenario() -> None:
            running, _ = await self.start()
            await self.spend(running, "daily")
            fleet, agent = running.service.live.fleet, running.service.live.fleet.get("daily")
            assert agent is not None and agent.caps is None
            fleet.set_caps(agent, Caps(max_cost_per_day=10**9), running.service.live.moment())
            self.assertIsNone(agent.pause)
            self.assertEqual((await self.one(running, "daily")).status, 200)

        return ensureDeferred(scenario())
