"""The whole pipeline, as `order.py` builds it."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange, Field
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline import order
from tests.pipeline.calls import CHAT, call, config_of, fleet_of, later
from tests.pipeline.test_record import Pages

CONFIG = """
agents:
  coder: {provider: openai, rate_limit: 2/min, budget: {max_cost_total: 1}}
  poor: {provider: openai, budget: {max_cost_total: 0.000001, enforcement: hard}}
"""
BODY = b'{"model":"gpt-4o","max_tokens":10,"messages":[]}'


class OrderTests(SynchronousTestCase):
    """A call through all the steps, and how it leaves them."""

    def setUp(self) -> None:
        """A fleet and its pipeline."""
        config = config_of(CONFIG)
        self.fleet = fleet_of(config)
        self.pages = Pages()
        prices = PriceBook(config.prices, config.unpriced_models)
        self.onion = order.build(config, self.fleet, prices, self.pages, lambda: None)

    def admitted(self, *fields: Field, at: float = 0.0) -> Exchange:
        """A call after the pipeline; refused where it says so."""
        exchange = call(CHAT, BODY, *fields)
        answer = self.onion.admit(exchange, later(at))
        if isinstance(answer, Refusal):
            exchange.refuse(answer)
            self.onion.close(exchange, later(at))
        return exchange

    def test_through(self) -> None:
        """An admitted call has a target and a reservation; at its end it is written down and holds nothing."""
        exchange = self.admitted((b"x-agent-id", b"coder"))
        agent = self.fleet.get("coder")
        assert agent is not None and exchange.target is not None
        self.assertTrue(exchange.admitted)
        self.assertEqual((exchange.target.provider.name, agent.in_flight), ("openai", 1))
        self.assertGreater(agent.account.reserved, 0)
        exchange.status = 200
        self.onion.close(exchange, later(1))
        self.assertEqual((agent.in_flight, agent.account.reserved, len(self.pages.records)), (0, 0, 1))

    def test_refused_calls_consume_nothing(self) -> None:
        """A call that the last check refuses has used up no rate, and one over the rate no money."""
        coder, poor = self.fleet.get("coder"), self.fleet.get("poor")
        assert coder is not None and poor is not None and coder.bucket is not None
        self.assertEqual(self.admitted((b"x-agent-id", b"poor")).reason, "budget_exceeded")
        self.assertEqual((poor.in_flight, poor.account.reserved), (0, 0))
        self.admitted((b"x-agent-id", b"coder"))
        self.admitted((b"x-agent-id", b"coder"))
        reserved = coder.account.reserved
        refused = self.admitted((b"x-agent-id", b"coder"))
        self.assertEqual((refused.reason, refused.admitted), ("rate_limited", False))
        self.assertEqual((coder.account.reserved, coder.in_flight), (reserved, 2))
        self.assertTrue(self.admitted((b"x-agent-id", b"coder"), at=31.0).admitted)

    def test_one_record_each(self) -> None:
        """Whoever refuses, each call leaves exactly one record."""
        for fields in ((), ((b"x-agent-id", b"poor"),), ((b"x-agent-id", b"a"), (b"x-agent-id", b"b"))):
            self.admitted(*fields)
        reasons = [record.reason for record in self.pages.records]
        self.assertEqual(reasons, ["unknown_agent", "budget_exceeded", "bad_request"])
