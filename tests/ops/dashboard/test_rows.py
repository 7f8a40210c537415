"""Tests of agentgateway.ops.dashboard.rows."""

import json

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.history import History
from agentgateway.domain.standing import Caps
from agentgateway.domain.view import agent_view
from agentgateway.ops.dashboard.rows import LATE, MAX_CHANGED, Rows, row_view
from tests.ops.dashboard.doubles import State


def look(rows: Rows) -> list[str]:
    """One look: who has changed."""
    changed: list[msgspec.Raw] = []
    for _ in rows.look(changed, []):
        pass
    return [json.loads(bytes(row))["id"] for row in changed]


class RowTests(SynchronousTestCase):
    """Rows that are kept."""

    def setUp(self) -> None:
        """Two agents, looked at once."""
        self.state = State()
        self.rows = Rows(self.state, History())
        look(self.rows)

    def test_changes(self) -> None:
        """An agent changes with a call, a pause, a new cap, an error of its circuit, and when it falls idle."""
        self.assertEqual(look(self.rows), [])
        agent, now = self.state.agent("coder"), self.state.moment()
        breaker = agent.breaker("openai")
        for change in (
            lambda: self.state.call("coder"),
            lambda: self.state.fleet.pause(agent, "operator", "why", now),
            lambda: self.state.fleet.resume(agent, "why", now),
            lambda: setattr(agent, "in_flight", 1),
            lambda: [breaker.leave(breaker.enter(0.0), False, 0.0) for _ in range(5)],
            lambda: agent.account.hold("call", 1),
            lambda: self.state.fleet.set_caps(agent, Caps(max_cost_total=7), now),
        ):
            change()
            self.assertEqual((look(self.rows), look(self.rows)), (["coder"], []))

    def test_flow(self) -> None:
        """What changes with time alone is told a little later: a refilled rate limit, an agent that is idle, an hour."""
        agent = self.state.agent("coder")
        assert agent.bucket is not None
        self.state.call("coder")
        agent.bucket.take(0.0, 60)
        look(self.rows)
        for seconds in (1, 300, 3600):
            self.state.clock.advance(seconds)
            self.assertEqual(sum("coder" in look(self.rows) for _ in range(LATE + 1)), 1)
        self.assertEqual([look(self.rows) for _ in range(2 * LATE)], 2 * LATE * [[]])

    def test_hour(self) -> None:
        """A new hour shows in all rows at once, or in the next updates where one cannot take them all."""
        names = [f"a{number}" for number in range(2 * MAX_CHANGED + 10)]
        state = State("agents: {" + ", ".join(f"{name}: {{}}" for name in names) + "}")
        rows = Rows(state, History())
        look(rows)
        for name in names:
            state.call(name)
        while look(rows):
            pass
        state.clock.advance(3600)
        told = [look(rows) for _ in range(3)]
        self.assertEqual([len(update) for update in told], [MAX_CHANGED, MAX_CHANGED, 10])
        self.assertEqual({name for update in told for name in update}, set(names))

    def test_turns_stay(self) -> None:
        """After a new hour rows are looked at in turn as before, not all of them at one time."""
        names = [f"a{number}" for number in range(2 * LATE)]
        state = State("agents: {" + ", ".join(f"{name}: {{rate_limit: 60/min}}" for name in names) + "}")
        rows = Rows(state, History())
        look(rows)
        state.clock.advance(3600)
        look(rows)
        for name in names:
            bucket = state.agent(name).bucket
            assert bucket is not None
            bucket.take(state.clock.seconds(), 60)
        self.assertLessEqual(max(len(look(rows)) for _ in range(LATE)), 2)

    def test_tokens_flow(self) -> None:
        """A token limit that refills is told like a rate limit that does."""
        state = State("agents: {coder: {token_limit: 60/min}}")
        rows = Rows(state, History())
        look(rows)
        tokens = state.agent("coder").tokens
        assert tokens is not None
        tokens.charge(0.0, 30)
        self.assertEqual(sum(look(rows) == ["coder"] for _ in range(LATE + 1)), 1)

    def test_limits(self) -> None:
        """A row tells what is left of the agent's calls and tokens, and how many calls may be under way at once."""
        state = State("agents: {coder: {token_limit: 1000/min, max_concurrency: 3}, free: {}}")
        tokens = state.agent("coder").tokens
        assert tokens is not None
        tokens.charge(0.0, 400)
        rows = [row_view(state.agent(name), None, state.moment()) for name in ("coder", "free")]
        found = [[row[key] for key in ("rate_limit", "token_limit", "max_concurrency")] for row in rows]
        self.assertEqual(found, [[None, {"limit": "1000/min", "available": 600}, 3], [None, None, None]])

    def test_all(self) -> None:
        """Everybody's row is there at any time."""
        self.assertEqual([json.loads(bytes(row))["id"] for row in self.rows.all()], ["coder", "writer"])

    def test_turns(self) -> None:
        """Where more have changed than one update takes, the rest are told in the next ones: nobody is left out."""
        names = [f"a{number}" for number in range(2 * MAX_CHANGED + 10)]
        rows = Rows(State("agents: {" + ", ".join(f"{name}: {{}}" for name in names) + "}"), History())
        for agent in rows._live.fleet:
            agent.in_flight = 0
        first = look(rows)
        self.assertEqual(sorted(first), sorted(names), "all are new, so all are told")
        seen: set[str] = set()
        for _ in range(4):
            for agent in rows._live.fleet:
                agent.in_flight += 1
            update = look(rows)
            self.assertLessEqual(len(update), MAX_CHANGED)
            seen |= set(update)
        self.assertEqual(seen, set(names))

    def test_shape(self) -> None:
        """A row is what the management API shows of an agent, and more."""
        agent, now = self.state.agent("coder"), self.state.moment()
        row = row_view(agent, None, now)
        self.assertEqual({**row, **agent_view(agent, now)}, row)
        self.assertEqual(row["caps"][0]["limit"], 5.0)
        self.assertEqual((row["p50_ms"], row["spark"], row["paused"]), (None, [], None))

    def test_totals(self) -> None:
        """The totals are the agents' sums."""
        self.state.call("coder", 0.5)
        self.state.call("writer", 0.25)
        look(self.rows)
        self.assertEqual((self.rows.totals.cost_today, self.rows.totals.calls_this_hour), (750_000_000, 2))
        self.state.clock.advance(3600)  # the sums of an hour end with it, at once
        look(self.rows)
        self.assertEqual((self.rows.totals.cost_today, self.rows.totals.calls_this_hour), (750_000_000, 0))
