"""Streams that are cut when money runs out: at once, between two events, with an error that SDKs can read."""

import json
import re
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from agentgateway.domain.standing import Caps
from agentgateway.providers.sse import Events
from tests.fixtures import ANTHROPIC_STREAM, CHAT_STREAM, GOOGLE_STREAM, RESPONSES_STREAM, Fixture
from tests.governance.books import account, check_books, config
from tests.harness import Running, reactor, start_gateway, until
from tests.peers import STREAM_HEAD, Origin, Received, Visit, call_in, chunk, post

STREAMS = (ANTHROPIC_STREAM, CHAT_STREAM, RESPONSES_STREAM, GOOGLE_STREAM)
AT_ONCE = 0.05
TRIES = 3
ONE = Caps(max_cost_total=1)


class Half:
    """A provider that streams the first part of an answer, and no more until told."""

    def __init__(self, fixture: Fixture, cut: int) -> None:
        self._first = fixture.answer[:cut]
        self.rest = fixture.answer[cut:]
        self.closed_at: list[float] = []

    def __call__(self, visit: Visit, request: Received) -> None:
        """Answer."""
        visit.transport.write(STREAM_HEAD + chunk(self._first))
        visit.closed.addCallback(self.closed_at.append)


def events_of(fixture: Fixture) -> list[bytes]:
    """The events of a stream, each with its blank line."""
    return re.findall(rb".+?(?:\r\n\r\n|\n\n)", fixture.answer, re.DOTALL)


def middle(fixture: Fixture) -> int:
    """The end of an event before the last ones."""
    events = events_of(fixture)
    return sum(map(len, events[: max(1, len(events) // 2)]))


def text_event(fixture: Fixture) -> bytes:
    """An event that brings some text."""
    return next(event for event in events_of(fixture) if b"good" in event or b"let me" in event)


class CutTests(TestCase):
    """One stream, cut."""

    async def begin(self, fixture: Fixture, cut: int) -> tuple[Running, Half, Any]:
        """A stream of which the first part has come; `mine` has a budget of 1000 dollars."""
        half = Half(fixture, cut)
        agents = "  mine: {{budget: {{max_cost_total: 1000}}}}\n"
        running = await start_gateway(self, config(agents), Origin(half))
        caller = await call_in(self, running.port)
        caller.transport.write(post(fixture.path.encode(), fixture.request, (b"x-agent-id", b"mine")))
        await until(lambda: len(caller.answer.body) > 0)
        return running, half, caller

    def lower(self, running: Running) -> float:
        """Lower the cap below what has been spent; the time it was done."""
        fleet, now = running.service.live.fleet, running.service.live.moment()
        agent = fleet.get("mine")
        assert agent is not None
        at = float(reactor.seconds())
        fleet.set_caps(agent, ONE, now)
        return at

    def check(self, running: Running, caller: Any) -> bytes:
        """The answer broke off with an error, the record says so, and the money is booked; gives the last event."""
        self.assertFalse(caller.answer.ended)
        [record] = running.records
        self.assertEqual((record["outcome"], record["reason"]), ("cut", "budget_exceeded"))
        self.assertEqual(record["usage"], "estimated")
        self.assertGreater(check_books(self, running, ["mine"]), 0)
        events = Events()
        found = events.feed(bytes(caller.answer.body))
        self.assertFalse(events.inside)
        for event in found:
            json.loads(event)
        return found[-1]

    def test_lowered_cap(self) -> Any:
        """A cap lowered below what a silent stream has cost cuts it at once, in every dialect."""

        async def scenario() -> None:
            for fixture in STREAMS:
                took = []
                for _ in range(TRIES):
                    running, half, caller = await self.begin(fixture, middle(fixture))
                    at = self.lower(running)
                    await caller.closed
                    await until(lambda half=half: half.closed_at)
                    took.append(half.closed_at[0] - at)
                    error = self.check(running, caller)
                    self.assertIn(b"budget", error)
                self.assertLess(min(took), AT_ONCE, fixture.name)

        return ensureDeferred(scenario())

    def test_within_an_event(self) -> Any:
        """A cut in the middle of an event leaves what follows readable: the error is an event of its own."""

        async def scenario() -> None:
            for fixture in STREAMS:
                running, _, caller = await self.begin(fixture, middle(fixture) + 9)
                self.lower(running)
                await caller.closed
                events = Events()
                found = events.feed(bytes(caller.answer.body))
                self.assertFalse(events.inside, fixture.name)
                self.assertIn("budget", json.dumps(json.loads(found[-1])))
                self.assertEqual([record["outcome"] for record in running.records], ["cut"])

        return ensureDeferred(scenario())

    def test_spent(self) -> Any:
        """The chunk that reaches the cap is the last one, as far as its events are whole."""

        async def scenario() -> None:
            for fixture in STREAMS:
                running, _half, caller = await self.begin(fixture, middle(fixture))
                mine = account(running, "mine")
                mine.set_caps(mine.budget.__class__(max_cost_total=mine.accrued + 1))
                [visit] = running.origin.visits
                visit.transport.write(chunk(text_event(fixture) * 40 + b"data: {"))
                await caller.closed
                self.check(running, caller)

        return ensureDeferred(scenario())

    def test_raised_cap_lets_go_on(self) -> Any:
        """A cap that is raised while a stream runs lets it go on to its end."""

        async def scenario() -> None:
            running, half, caller = await self.begin(CHAT_STREAM, middle(CHAT_STREAM))
            fleet, agent = running.service.live.fleet, running.service.live.fleet.get("mine")
            assert agent is not None
            fleet.set_caps(agent, Caps(max_cost_total=10**13), running.service.live.moment())
            [visit] = running.origin.visits
            visit.transport.write(chunk(half.rest) + chunk(b""))
            await until(lambda: caller.answer.ended)
            self.assertEqual([record["outcome"] for record in running.records], ["ok"])

        return ensureDeferred(scenario())

    def test_all_of_an_agents_streams(self) -> Any:
        """Where one stream reaches the cap the agent's others are cut with it, those that have no answer yet too."""

        async def scenario() -> None:
            fixture = ANTHROPIC_STREAM
            running, _half, first = await self.begin(fixture, middle(fixture))
            raw = post(fixture.path.encode(), fixture.request, (b"x-agent-id", b"mine"))
            running.origin.script = lambda visit, request: None
            second = await call_in(self, running.port)
            refused = ensureDeferred(second.ask(raw))
            await until(lambda: len(running.origin.visits) == 2)
            self.lower(running)
            await first.closed
            answer = await refused
            self.assertEqual((answer.status, answer.one(b"x-agentgateway-reason")), (402, "budget_exceeded"))
            self.assertEqual(sorted(record["outcome"] for record in running.records), ["cut", "cut"])
            self.assertTrue(all(record["cost_usd"] > 0 for record in running.records))
            check_books(self, running, ["mine"])

        return ensureDeferred(scenario())
