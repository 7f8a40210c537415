"""Tests of agentgateway.ops.dashboard.feed."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.alert import Alert
from agentgateway.ops.dashboard.feed import MAX_PENDING, RECENT, Feed, alert_view, is_call
from tests.domain.test_series import NOON, record
from tests.ops.dashboard.doubles import Onlooker, State, feed_of


def run(feed: Feed) -> None:
    """A whole pass."""
    for _ in feed.run():
        pass


def told(viewer: Onlooker) -> dict[str, Any]:
    """The latest thing a viewer was shown."""
    content: dict[str, Any] = json.loads(viewer.seen[-1].payload)
    return content


class FeedTests(SynchronousTestCase):
    """What viewers hear."""

    def setUp(self) -> None:
        """A feed with one viewer that has seen all."""
        self.state = State()
        self.feed, self.stored = feed_of(self.state)
        self.viewer = Onlooker()
        self.feed.join(self.viewer)
        run(self.feed)

    def test_snapshot(self) -> None:
        """The first message is everything: the gateway, all agents, recent records, alerts, providers."""
        first = told(self.viewer)
        self.assertEqual(first["type"], "snapshot")
        self.assertEqual([agent["id"] for agent in first["agents"]], ["coder", "writer"])
        self.assertEqual((first["recent"], first["alerts"], first["gateway"]["agents"]), ([], [], 2))
        self.assertEqual(first["ts"], "2027-01-15T08:00:00.000Z")

    def test_update(self) -> None:
        """Then only agents that have changed, and records and alerts that are new."""
        done = self.state.call("coder")
        self.state.alerts.append(Alert(NOON, "budget", "75%", "coder"))
        run(self.feed)
        update = told(self.viewer)
        self.assertEqual(update["type"], "update")
        self.assertEqual([agent["id"] for agent in update["agents"]], ["coder"])
        self.assertEqual(update["agents"][0]["cost_this_hour"], 0.25)
        self.assertEqual([one["id"] for one in update["recent"]], [done.id])
        self.assertEqual([one["text"] for one in update["alerts"]], ["75%"])
        self.assertEqual(update["gateway"]["cost_today"], 0.25)
        run(self.feed)
        self.assertEqual([told(self.viewer)[key] for key in ("agents", "recent", "alerts", "gone")], [[], [], [], []])

    def test_draining(self) -> None:
        """A gateway that is about to stop says so, and how much is still under way."""
        self.state.draining = True
        self.state.streams["agw_1"] = object()
        self.state.agent("coder").in_flight = 2
        run(self.feed)
        gateway = told(self.viewer)["gateway"]
        self.assertEqual([gateway[key] for key in ("status", "open_streams", "in_flight")], ["draining", 1, 2])

    def test_pace(self) -> None:
        """Calls, tokens and dollars of the last minute are those of calls that were answered; refusals are told besides."""
        self.state.call("coder", input_tokens=100, output_tokens=20)
        self.state.call("writer", 0.5, input_tokens=1, output_tokens=2)
        self.state.tail.append(refused := record(agent="coder", provider=None, outcome="refused", cost_usd=0.0))
        self.feed.pending.append(refused)
        run(self.feed)
        gateway = told(self.viewer)["gateway"]
        paces = [gateway[f"{name}_per_minute"] for name in ("calls", "refused", "tokens", "cost")]
        self.assertEqual(paces, [2, 1, 123, 0.75])

    def test_full(self) -> None:
        """A viewer that asks for it is told everything every time."""
        full = Onlooker(full=True)
        self.feed.join(full)
        run(self.feed)
        run(self.feed)
        self.assertEqual([json.loads(one.payload)["type"] for one in full.seen], ["snapshot", "snapshot"])

    def test_once_for_all(self) -> None:
        """A message is made once and shown to all."""
        others = [Onlooker() for _ in range(12)]
        for other in others:
            self.feed.join(other)
        run(self.feed)
        run(self.feed)
        self.assertEqual({id(other.seen[-1]) for other in others}, {id(self.viewer.seen[-1])})

    def test_stalled(self) -> None:
        """One that has missed something is told everything once it reads again; others are not kept waiting."""
        slow = Onlooker()
        self.feed.join(slow)
        run(self.feed)
        slow.reads = False
        self.state.call("coder")
        run(self.feed)
        slow.reads = True
        run(self.feed)
        self.assertEqual([json.loads(one.payload)["type"] for one in slow.seen], ["snapshot", "snapshot"])
        self.assertEqual(len(self.viewer.seen), 4)
        self.assertEqual(told(slow)["agents"][0]["cost_today"], 0.25)

    def test_left(self) -> None:
        """Nothing is made for nobody, but records are counted into the charts all the same."""
        self.feed.leave(self.viewer)
        self.state.call("coder")
        run(self.feed)
        self.assertEqual(len(self.viewer.seen), 1)
        self.state.clock.advance(60)
        run(self.feed)
        self.assertEqual({point.key for point in self.stored}, {"", "/openai", "coder"})

    def test_back(self) -> None:
        """Who comes when nobody has looked for long is shown how things are, not how they were."""
        self.state.call("coder")
        run(self.feed)
        run(self.feed)
        self.assertEqual(told(self.viewer)["gateway"]["calls_per_minute"], 1)
        self.feed.leave(self.viewer)
        for seconds, expected in ((120, (0, 0.25)), (3600, (0, 0.0))):
            self.state.clock.advance(seconds)
            run(self.feed)
            self.feed.join(late := Onlooker())
            run(self.feed)
            coder = told(late)["agents"][0]
            self.assertEqual((coder["calls_per_minute"], coder["cost_this_hour"]), expected)
            self.feed.leave(late)

    def test_many(self) -> None:
        """Of a burst the newest records are told, and how many are left out."""
        for _ in range(RECENT + 30):
            self.state.call("coder")
        run(self.feed)
        self.assertEqual((len(told(self.viewer)["recent"]), told(self.viewer)["omitted"]), (RECENT, 30))
        self.assertEqual(self.feed.pending.maxlen, MAX_PENDING)

    def test_many_alerts(self) -> None:
        """Of a burst of alerts the newest are told, oldest first."""
        for number in range(RECENT + 5):
            self.state.alerts.append(Alert(NOON, "budget", str(number)))
        run(self.feed)
        self.assertEqual([one["text"] for one in told(self.viewer)["alerts"]], [str(n) for n in range(5, RECENT + 5)])

    def test_providers(self) -> None:
        """Providers say how their calls went, and how many circuits are open towards them."""
        breaker = self.state.agent("coder").breaker("openai")
        for _ in range(5):
            breaker.leave(breaker.enter(0.0), False, 0.0)
        self.state.call("coder", status=503, outcome="upstream_error")
        run(self.feed)
        provider = next(one for one in told(self.viewer)["providers"] if one["name"] == "openai")
        found = [provider[key] for key in ("calls_last_hour", "errors_last_hour", "open", "half_open")]
        self.assertEqual(found, [1, 1, 1, 0])

    def test_gone(self) -> None:
        """An agent that a reload has taken away is told as gone."""
        smaller = State("agents: {coder: {provider: openai}}")
        self.state.fleet.configure(smaller.config, self.state.moment())
        run(self.feed)
        self.assertEqual(told(self.viewer)["gone"], ["writer"])

    def test_leaving(self) -> None:
        """A viewer that leaves amid a pass, at whatever step, is not told of any more and does not come back."""
        for step in range(len(list(self.feed.run()))):
            leaving = Onlooker(full=True)
            self.feed.join(leaving)
            for number, _ in enumerate(self.feed.run()):
                if number == step:
                    self.feed.leave(leaving)
                    seen = len(leaving.seen)
            self.assertNotIn(leaving, self.feed.viewers)
            self.assertEqual(len(leaving.seen), seen)

    def test_steps(self) -> None:
        """A pass over many agents is made in steps, with room for calls in between."""
        agents = ", ".join(f"a{number}: {{}}" for number in range(1000))
        feed, _ = feed_of(State(f"agents: {{{agents}}}"))
        feed.join(Onlooker())
        self.assertGreaterEqual(len(list(feed.run())), 100)


class ViewTests(SynchronousTestCase):
    """What is told of what."""

    def test_alert(self) -> None:
        """Where an alert is posted to is not shown to anybody."""
        alert = Alert(NOON, "policy", "text", "coder", "dear", "https://hooks.example.com/secret")
        self.assertNotIn("secret", json.dumps(alert_view(alert)))

    def test_good_news(self) -> None:
        """An alert says whether trouble has ended with it."""
        found = [alert_view(Alert(NOON, "breaker", "text", good=good))["good"] for good in (True, False)]
        self.assertEqual(found, [True, False])

    def test_is_call(self) -> None:
        """A change by an operator is shown in the feed but is no call."""
        change = record(provider=None, reason="admin: paused")
        self.assertEqual([is_call(change), is_call(record(provider="openai"))], [False, True])
