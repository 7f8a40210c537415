"""What a stream has cost while it runs: when it is cut, and in which words."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange, Target
from agentgateway.domain.pricing import PriceBook
from agentgateway.pipeline.meter import Meter
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.providers.known import surface
from agentgateway.web.accrual import accrual, spent_up
from agentgateway.web.relay import SPENT, Cut
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of

CONFIG = """
agents:
  capped: {provider: openai, model: gpt-4o-mini, budget: {max_cost_per_hour: 0.001}}
  free: {provider: openai, model: gpt-4o-mini}
"""
TEXT = b'data: {"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n'


class AccrualTests(SynchronousTestCase):
    """A stream whose call names no model: the agent's is what it costs."""

    def setUp(self) -> None:
        """Two agents, one of them with a tenth of a cent for an hour."""
        self.config = config_of(CONFIG)
        self.fleet = fleet_of(self.config)
        self.prices = PriceBook(self.config.prices, "assume")

    def running(self, name: str) -> Exchange:
        """A stream of an agent that has begun."""
        exchange = call(CHAT, b"{}")
        agent = self.fleet.get(name)
        assert agent is not None
        exchange.agent, exchange.surface = agent, surface("POST", CHAT, "openai")
        exchange.asked = exchange.surface.understand(CHAT, exchange.body or b"")
        exchange.streamed = True
        provider = self.config.providers["openai"]
        exchange.target = Target(provider, self.prices.rates(provider, "gpt-4o-mini", NOW.wall))
        exchange.reservation = agent.account.hold(exchange.id, 0)
        return exchange

    def asked(self, name: str, words: int) -> Cut | None:
        """Why the stream is cut after so many times four characters, if it is."""
        exchange = self.running(name)
        assert exchange.surface is not None
        meter = Meter(exchange.surface, True, "", False)
        spent = accrual(exchange, meter, Reckoner(self.prices), lambda: NOW)
        assert spent is not None
        meter.feed(TEXT % (b"word" * words))
        return spent()

    def test_while_there_is_money(self) -> None:
        """At 60 cents a million a thousand tokens are far from a tenth of a cent; without caps nothing is ever too much."""
        self.assertIsNone(self.asked("capped", 1_000))
        self.assertIsNone(self.asked("free", 10_000))

    def test_cut(self) -> None:
        """What is told names the cap that is reached, and when it resets."""
        why = self.asked("capped", 2_000)
        assert why is not None
        self.assertEqual(why.reason, "budget_exceeded")
        self.assertRegex(
            why.message, r"the budget of \$0.001 per hour is spent: the answer was cut; it resets in \d+ min"
        )

    def test_no_cap(self) -> None:
        """Whoever has no cap any more is not told of one."""
        agent = self.fleet.get("free")
        assert agent is not None
        self.assertIs(spent_up(agent.account, NOW), SPENT)
