"""Paused agents and policies that deny."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import NONE_GONE, Grant
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.onion import BORROW, Answer
from agentgateway.pipeline.screen import Screen
from agentgateway.providers.known import surface
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of, later

CONFIG = """
agents:
  writer: {provider: openai, budget: {max_cost_per_hour: 1}}
policies:
  - {name: many, condition: "calls_this_hour >= 3", action: deny}
  - {name: broken, condition: "error_rate > 0.5", action: pause}
"""


MODELS = """
agents:
  writer: {provider: openai, model: cheap}
policies:
  - {name: not-dear, condition: 'model == "dear"', action: deny}
"""


class ScreenTests(SynchronousTestCase):
    """Before anything else is looked at."""

    def setUp(self) -> None:
        """An agent."""
        self.fleet = fleet_of(config_of(CONFIG))
        agent = self.fleet.get("writer")
        assert agent is not None
        self.agent = agent
        self.step = Screen(self.fleet)

    def check(self, now: Moment = NOW, path: str = CHAT) -> Answer:
        """What the step says to a call."""
        exchange = call(path)
        exchange.agent, exchange.surface = self.agent, surface("POST", path, "openai")
        return self.step.check(exchange, now)

    def refused(self, now: Moment = NOW) -> Refusal:
        """The refusal of a call."""
        answer = self.check(now)
        assert isinstance(answer, Refusal)
        return answer

    def test_active(self) -> None:
        """An agent that is not paused passes."""
        self.assertIsNone(self.check())

    def test_operator(self) -> None:
        """An agent that an operator paused is refused, free calls too, until it is resumed."""
        self.fleet.pause(self.agent, "operator", "enough", NOW)
        self.assertEqual((self.refused().reason, self.refused(later(10**6)).status), ("agent_paused", 403))
        self.assertIsInstance(self.check(path="/v1/files"), Refusal)
        self.fleet.resume(self.agent, "go on", NOW)
        self.assertIsNone(self.check())

    def test_budget(self) -> None:
        """One that its budget paused is refused for money alone, and passes when the window has turned."""
        account = self.agent.account
        account.settle(NOW.wall, account.hold("a", 0), 10**9)
        self.fleet.watch_budget(self.agent, NOW)
        refusal = self.refused()
        self.assertEqual((refusal.reason, refusal.retry_after), ("budget_exceeded", None))
        self.assertIn("resets in", refusal.message)
        self.assertIsNone(self.check(path="/v1/files"))
        self.assertIsNone(self.check(later(3600)))

    def test_denied(self) -> None:
        """A policy that denies refuses the call, and the agent stands as it stood."""
        for _ in range(3):
            self.agent.account.count(NOW.wall, error=False, input_tokens=1, output_tokens=1)
        self.assertEqual(self.refused().reason, "policy_denied")
        self.assertIsNone(self.agent.pause)

    def test_paused_by_a_policy(self) -> None:
        """A policy that pauses does so at the very call at which its condition is found to hold."""
        self.agent.account.count(NOW.wall, error=True, input_tokens=1, output_tokens=1)
        self.assertEqual(self.refused().reason, "agent_paused")
        assert self.agent.pause is not None
        self.assertEqual(self.agent.pause.by, "policy")


class ModelTests(SynchronousTestCase):
    """Policies that go by the model."""

    def test_the_call_s_own(self) -> None:
        """It is that of the call that is about to begin: the first one is refused already, and others are not for its sake."""
        fleet = fleet_of(config_of(MODELS))
        agent = fleet.get("writer")
        assert agent is not None

        def reason(body: bytes, path: str = CHAT) -> str | None:
            exchange = call(path, body)
            exchange.agent, exchange.surface = agent, surface("POST", path, "openai")
            exchange.asked = exchange.surface.understand(path, body)
            answer = Screen(fleet).check(exchange, NOW)
            return answer.reason if isinstance(answer, Refusal) else None

        for body, wanted in ((b'{"model": "dear"}', "policy_denied"), (b'{"model": "cheap"}', None)) * 2:
            self.assertEqual(reason(body), wanted)
            agent.last_model = "dear"
        self.assertIsNone(reason(b"{}"))  # the agent's own model is put in
        self.assertEqual(reason(b"{}", "/v1/files"), "policy_denied")  # has none: the latest counts


class FleetTests(SynchronousTestCase):
    """An agent that other processes serve, too."""

    def setUp(self) -> None:
        """An agent of which nothing is known yet."""
        self.link = Link()
        self.fleet = fleet_of(config_of(CONFIG), self.link)
        agent = self.fleet.get("writer")
        assert agent is not None
        self.agent = agent

    def check(self, now: Moment = NOW) -> Answer:
        """What the step says to a call."""
        exchange = call(CHAT)
        exchange.agent, exchange.surface = self.agent, surface("POST", CHAT, "openai")
        return Screen(self.fleet).check(exchange, now)

    def test_policies(self) -> None:
        """A call waits until it is known what the others did; the policies go by that."""
        self.assertIs(self.check(), BORROW)
        self.assertEqual(self.link.urgent, {"writer"})
        ask = self.agent.ask(NOW)
        three = (0, 3, 0, 0, 0)
        self.agent.granted(ask, Grant("writer", False, 0, three, three, three, 0, 0, (), NONE_GONE), NOW)
        answer = self.check(later(1))
        assert isinstance(answer, Refusal)
        self.assertEqual(answer.reason, "policy_denied")
        self.assertIs(self.check(later(5)), BORROW)

    def test_away(self) -> None:
        """While nobody can be asked they go by what is known."""
        self.link.up = False
        self.assertIsNone(self.check())
