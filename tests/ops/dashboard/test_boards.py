"""What several workers tell of themselves, made one."""

import json
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.link import Link
from agentgateway.ops.dashboard.boards import Boards, told
from agentgateway.ops.dashboard.message import RECENT, encode
from agentgateway.ops.dashboard.rows import MAX_CHANGED
from tests.domain.test_series import record
from tests.ops.dashboard.doubles import Onlooker, State, feed_of


class BoardTests(SynchronousTestCase):
    """Two workers, as their own feeds tell of them."""

    def setUp(self) -> None:
        """Nobody has called."""
        self.states = State(), State()
        self.feeds = [feed_of(state)[0] for state in self.states]
        for feed in self.feeds:
            feed.join(Onlooker())
        self.boards = Boards()

    def tell(self, *numbers: int) -> None:
        """What these workers say, all of it."""
        for number in numbers:
            list(self.feeds[number].run())
            self.boards.take(number, told(self.feeds[number].snapshot().payload))

    def look(self) -> tuple[dict[str, Any], list[str]]:
        """(rows that have changed, by id; ids that are gone)"""
        changed: list[Any] = []
        gone: list[str] = []
        list(self.boards.look(changed, gone))
        return {(row := json.loads(bytes(text)))["id"]: row for text in changed}, gone

    def test_rows(self) -> None:
        """Calls under way are added up, and so are sparklines; an agent that one worker has met is shown as it is."""
        one, other = self.states
        one.agent("coder").in_flight = 2
        other.agent("coder").in_flight = 3
        self.tell(0, 1)
        rows, gone = self.look()
        self.assertEqual((rows["coder"]["in_flight"], rows["writer"]["in_flight"], gone), (5, 0, []))
        self.assertEqual(self.look(), ({}, []))
        self.assertEqual(self.boards.head("update", "now", 7)["gateway"]["in_flight"], 5)
        self.assertEqual(self.boards.head("update", "now", 7)["gateway"]["viewers"], 7)

    def test_limits(self) -> None:
        """Of an agent's tokens the least that any worker sees left is shown, beside one of an earlier version too."""
        states = [State("agents: {coder: {token_limit: 1000/min, max_concurrency: 3}}") for _ in range(3)]
        for number, (state, used) in enumerate(zip(states, (400, 700, 900), strict=True)):
            tokens = state.agent("coder").tokens
            assert tokens is not None
            tokens.charge(0.0, used)
            feed = feed_of(state)[0]
            feed.join(Onlooker())
            list(feed.run())
            message = told(feed.snapshot().payload)
            if number == 2:
                earlier = json.loads(bytes(message.agents[0]))
                del earlier["token_limit"], earlier["max_concurrency"]
                message.agents = [msgspec.Raw(encode(earlier))]
            self.boards.take(number, message)
        row = self.look()[0]["coder"]
        self.assertEqual((row["token_limit"]["available"], row["max_concurrency"]), (300, 3))

    def test_paces(self) -> None:
        """Of paces each worker knows its own; one of an earlier version, which lacks a number, counts as none."""
        for feed in self.feeds:
            feed.pending.append(record(agent="coder", provider=None, outcome="refused", cost_usd=0.0))
        self.tell(0, 1)
        self.assertEqual(self.boards.head("update", "now", 1)["gateway"]["refused_per_minute"], 2)
        earlier = told(self.feeds[1].snapshot().payload)
        del earlier.gateway["refused_per_minute"]
        self.boards.take(1, earlier)
        self.assertEqual(self.boards.head("update", "now", 1)["gateway"]["refused_per_minute"], 1)

    def test_store_away(self) -> None:
        """While the store that they share is away, what each has done since is added up, in rows and totals."""
        links = Link(), Link()
        for state, link in zip(self.states, links, strict=True):
            state.share(link)
        self.tell(0, 1)
        self.look()
        for number, state in enumerate(self.states):
            state.call("coder", 0.25 + number)
        self.tell(0, 1)
        self.assertEqual(self.look()[0]["coder"]["total_cost"], 1.25)
        for link in links:
            link.up = False
        self.tell(0, 1)
        row, gateway = self.look()[0]["coder"], self.boards.head("update", "now", 1)["gateway"]
        self.assertEqual((row["total_cost"], row["caps"][0]["spent"], row["budget"]["remaining"]), (1.5, 1.5, 3.5))
        self.assertEqual(
            (gateway["store"], gateway["cost_this_hour"], gateway["calls_this_hour"]), ("degraded", 1.5, 2)
        )
        self.assertNotIn("untold", {**row, **row["budget"], **row["caps"][0], **gateway})
        for link in links:
            link.up = True
        self.tell(0, 1)
        self.assertEqual(self.look()[0]["coder"]["total_cost"], 1.25)
        self.assertEqual(self.boards.head("update", "now", 1)["gateway"]["store"], "ok")

    def test_away(self) -> None:
        """What a worker that is away said of calls under way is forgotten; who only it knew is gone."""
        self.states[0].agent("coder").in_flight = 2
        self.tell(0, 1)
        self.look()
        self.boards.drop(0)
        self.boards.drop(0)
        rows, gone = self.look()
        self.assertEqual((rows["coder"]["in_flight"], gone), (0, []))
        self.boards.drop(1)
        rows, gone = self.look()
        self.assertEqual((rows, sorted(gone)), ({}, ["coder", "writer"]))

    def test_update(self) -> None:
        """After everything comes what has changed; an agent is gone once no worker shows it."""
        self.tell(0, 1)
        self.look()
        head = self.boards.head("update", "now", 0)
        for number in (0, 1):
            update = head | {"agents": [], "gone": ["coder"], "recent": [], "alerts": [], "omitted": 3}
            self.boards.take(number, told(encode(update)))
            self.assertEqual(self.look()[1], ["coder"] if number else [])
        self.assertEqual(self.boards.news()["omitted"], 6)
        self.assertEqual([row for row in self.boards.all()["agents"] if b'"coder"' in bytes(row)], [])

    def test_news(self) -> None:
        """Records come in order of time, alerts that all tell alike come once; who comes later sees the latest."""
        self.states[1].clock.advance(1)
        self.states[1].call("coder")
        self.states[0].call("writer")
        for state in self.states:
            state.fleet.pause(state.agent("coder"), "operator", "why", self.states[0].moment())
        self.tell(1, 0)
        self.look()
        news = self.boards.news()
        stamps = [json.loads(bytes(record))["ts"] for record in news["recent"]]
        self.assertEqual(stamps, sorted(stamps))
        self.assertEqual(len({bytes(alert) for alert in news["alerts"]}), len(news["alerts"]))
        self.assertEqual(self.boards.news(), {"recent": [], "alerts": [], "omitted": 0})
        self.assertEqual(self.boards.all()["recent"], news["recent"])

    def test_back(self) -> None:
        """Of a worker that comes back, and still knows what it told before, only what is new is told."""
        self.states[0].call("coder")
        self.tell(0)
        self.assertEqual(len(self.boards.news()["recent"]), 1)
        self.boards.drop(0)
        self.states[0].clock.advance(1)
        self.states[0].call("writer")
        self.tell(0)
        (record,) = self.boards.news()["recent"]
        self.assertEqual(json.loads(bytes(record))["agent"], "writer")
        self.assertEqual(len(self.boards.all()["recent"]), 2)

    def test_bounds(self) -> None:
        """An update has so many rows and records; the rows that are left out come with the next one."""
        self.tell(0)
        self.look()
        head = self.boards.head("update", "now", 0)
        row = json.loads(bytes(self.boards.all()["agents"][0]))
        rows = [row | {"id": f"a{number}"} for number in range(MAX_CHANGED + 5)]
        records = [{"id": f"agw_{number}", "ts": f"{number:04}"} for number in range(RECENT + 5)]
        self.boards.take(0, told(encode(head | {"agents": rows, "recent": records, "alerts": []})))
        self.assertEqual([len(self.look()[0]) for _ in range(3)], [MAX_CHANGED, 5, 0])
        news = self.boards.news()
        self.assertEqual((len(news["recent"]), news["omitted"]), (RECENT, 5))
