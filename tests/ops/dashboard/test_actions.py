"""Tests of agentgateway.ops.dashboard.actions."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange
from agentgateway.ops.dashboard.actions import Actions, CannotDo
from tests.ops.dashboard.doubles import State


class OneStream:
    """A stream that can be ended once."""

    def __init__(self, state: State) -> None:
        self.exchange = Exchange("agw_1", state.moment(), "POST", "/v1/messages", (), agent_id="coder")
        self.open = True

    def end(self) -> bool:
        """Whether it was open."""
        was, self.open = self.open, False
        return was


class ActionTests(SynchronousTestCase):
    """What an operator does."""

    def setUp(self) -> None:
        """Somebody who acts on `coder`."""
        self.state = State()
        self.actions = Actions(self.state, self.state.notes.append)
        self.agent = self.state.agent("coder")

    def act(self, verb: str, body: bytes = b"") -> None:
        """Act on coder."""
        self.actions.on_agent(self.agent, verb, body, "dashboard at 127.0.0.1")

    def refused(self, verb: str, body: bytes) -> int:
        """The status with which something is refused."""
        return int(self.assertRaises(CannotDo, self.act, verb, body).status)

    def test_pause_and_resume(self) -> None:
        """A pause has its reason, both are told as alerts, and both are on record with who did it."""
        self.act("pause", b'{"reason": "on fire"}')
        assert self.agent.pause is not None
        self.assertEqual((self.agent.pause.by, self.agent.pause.reason), ("operator", "on fire"))
        self.act("resume")
        self.assertIsNone(self.agent.pause)
        self.assertEqual([alert.kind for alert in self.state.alerts], ["pause", "resume"])
        self.assertEqual(
            [(note.agent, note.path, note.reason) for note in self.state.notes],
            [
                ("coder", "/act/agents/coder/pause", "dashboard at 127.0.0.1: paused: on fire"),
                (
                    "coder",
                    "/act/agents/coder/resume",
                    "dashboard at 127.0.0.1: resumed: from the dashboard at 127.0.0.1",
                ),
            ],
        )

    def test_spent(self) -> None:
        """An agent whose budget is spent cannot just be resumed: the cap is raised, and it goes on by itself."""
        self.state.call("coder", 5.0)
        self.state.fleet.watch_budget(self.agent, self.state.moment())
        self.assertEqual(self.refused("resume", b"{}"), 422)
        self.act("budget", b'{"max_cost_per_hour": 9}')
        self.assertIsNone(self.agent.pause)

    def test_budget(self) -> None:
        """Caps that are given change, exactly; null lifts one; what is left out stays."""
        self.act("budget", b'{"max_cost_per_day": "0.1", "max_cost_total": 7.5}')
        budget = self.agent.budget
        caps = (budget.max_cost_per_hour, budget.max_cost_per_day, budget.max_cost_total)
        self.assertEqual(caps, (5_000_000_000, 100_000_000, 7_500_000_000))
        self.act("budget", b'{"max_cost_per_hour": null}')
        self.assertIsNone(self.agent.budget.max_cost_per_hour)

    def test_nonsense(self) -> None:
        """What is no JSON, of another shape, no money or far too much changes nothing and is not on record."""
        bodies: list[tuple[str, bytes, int]] = [
            ("pause", b"{", 400),
            ("pause", b'{"reason": 5}', 422),
            ("pause", b'{"reson": "x"}', 422),
            ("pause", b'{"reason": "%b"}' % (b"x" * 501), 422),
            ("budget", b"{}", 422),
            ("budget", b'{"max_cost_total": "-1"}', 422),
            ("budget", b'{"max_cost_total": "nan"}', 422),
            ("budget", b'{"max_cost_total": 1e300}', 422),
            ("budget", b'{"max_cost_total": []}', 422),
            ("budget", b"[" * 100_000, 422),
        ]
        for verb, body, status in bodies:
            self.assertEqual(self.refused(verb, body), status, body[:40])
        self.assertEqual((self.state.notes, self.agent.pause, self.agent.caps), ([], None, None))

    def test_breaker(self) -> None:
        """An open circuit is closed."""
        breaker = self.agent.breaker("openai")
        for _ in range(5):
            breaker.leave(breaker.enter(0.0), False, 0.0)
        self.act("breaker")
        self.assertEqual((breaker.state(0.0), breaker.errors(0.0)), ("closed", 0))
        self.assertEqual([(alert.kind, alert.good) for alert in self.state.alerts], [("breaker", True)])

    def test_end(self) -> None:
        """A stream is ended once; one that is over, or was never there, is told so."""
        stream: Any = OneStream(self.state)
        self.state.streams["agw_1"] = stream
        self.actions.end("agw_1", "me")
        self.assertFalse(stream.open)
        for call_id in ("agw_1", "agw_2"):
            self.assertEqual(self.assertRaises(CannotDo, self.actions.end, call_id, "me").status, 404)
        self.assertEqual([note.agent for note in self.state.notes], ["coder"])
