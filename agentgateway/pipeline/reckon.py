"""What a call used and cost, from what its meter read: one function, the only one that settles."""

from collections.abc import Callable

from agentgateway.config.schema import Config
from agentgateway.domain.alert import Alert
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.usage import Usage
from agentgateway.pipeline.meter import Meter, settle
from agentgateway.providers.dialect import Reading

MAX_TOLD = 1_000
"""Models whose assumed price has been told of: callers choose names."""


class Reckoner:
    """Prices by the model that answered, else by the one asked for."""

    def __init__(self, prices: PriceBook, alert: Callable[[Alert], None] = lambda _: None) -> None:
        """`alert` is told once of each model whose price is only assumed."""
        self.prices = prices
        self._alert = alert
        self._told: set[str] = set()

    def answered(self, exchange: Exchange, meter: Meter, complete: bool, now: Moment) -> None:
        """Settle a call to which an answer came, whole or not."""
        assert exchange.surface is not None and exchange.asked is not None and exchange.target is not None
        reading = meter.reading
        exchange.model = reading.model or exchange.model
        if not exchange.surface.billable or exchange.status >= 400:
            return
        self._settle(exchange, reading, complete, now)

    def abandoned(self, exchange: Exchange, now: Moment) -> None:
        """Settle a call that reached a provider and was given up before the head of an answer: its input in full."""
        if exchange.sent and exchange.surface is not None and exchange.surface.billable:
            self._settle(exchange, Reading(), False, now)
            exchange.lost = exchange.cost

    def so_far(self, exchange: Exchange, reading: Reading, now: Moment) -> int:
        """Nano-dollars that a stream has cost by now, in so far as it has said or shown it."""
        assert exchange.asked is not None
        usage, _ = settle(reading, exchange.asked, exchange.body_size, False)
        return self._cost(exchange, reading, usage, now)

    def _settle(self, exchange: Exchange, reading: Reading, complete: bool, now: Moment) -> None:
        assert exchange.asked is not None
        usage, kind = settle(reading, exchange.asked, exchange.body_size, complete)
        exchange.usage, exchange.usage_kind = usage, kind
        if kind != "none":
            exchange.cost = self._cost(exchange, reading, usage, now)
        agent = exchange.agent
        if reading.later and agent is not None and agent.account.budget.enforcement == "hard":
            exchange.cost = max(exchange.cost, exchange.amount)  # nobody will see what it comes to

    def _cost(self, exchange: Exchange, reading: Reading, usage: Usage, now: Moment) -> int:
        target = exchange.target
        assert target is not None
        context = reading.context
        if context is None and exchange.asked is not None:
            context = exchange.asked.context
        rates = self.prices.rates_of_call(target.provider, exchange.model, exchange.wanted_model, now.wall, context)
        rates = rates or target.rates
        exchange.rates = rates
        if rates is not None and rates.assumed:
            self._tell(exchange, now)
        return exchange.lost + (rates.cost(usage) if rates is not None else 0)

    def _tell(self, exchange: Exchange, now: Moment) -> None:
        """Say that a price is assumed, once a model."""
        model = (exchange.model or exchange.requested_model or "")[:200]
        if model in self._told or len(self._told) >= MAX_TOLD:
            return
        self._told.add(model)
        text = f"no price is known for model {model!r}: one is assumed until `prices` has it"
        self._alert(Alert(now.wall, "price", text, exchange.agent_id))


def warm(config: Config, reckoner: Reckoner, now: Moment) -> None:
    """Load the price list: it takes a quarter of a second that no caller should wait for."""
    for provider in config.providers.values():
        reckoner.prices.rates(provider, "gpt-4o", now.wall)
        return
