"""Where a call goes: the provider named in the path, the agent's own, or the built-in one of the path's dialect."""

from collections.abc import Mapping

from agentgateway.config.schema import Agent, Config, Provider
from agentgateway.domain.exchange import Exchange, Moment, Target
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.onion import Answer, Quiet


class Choose(Quiet):
    """Fills in the targets, first choice first, each with its price for the model asked."""

    def __init__(self, config: Config, prices: PriceBook) -> None:
        self._providers: Mapping[str, Provider] = config.providers
        self._prices = prices

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Refuses a provider that is not the agent's, and a model without a price where that is forbidden."""
        assert exchange.agent is not None and exchange.surface is not None and exchange.asked is not None
        agent = exchange.agent.config
        names = self._names(exchange, agent)
        if isinstance(names, Refusal):
            return names
        model = exchange.asked.model or agent.model
        targets: list[Target] = []
        for name in names:
            provider = self._providers[name]
            rates = self._prices.rates(provider, model, now.wall, exchange.asked.context) if model else None
            if rates is None and model and exchange.surface.billable:
                return Refusal("unpriced_model", f"no price is known for model {model!r}: add it to `prices`")
            targets.append(Target(provider, rates))
        exchange.targets = targets
        exchange.target = targets[0]
        return None

    def _names(self, exchange: Exchange, agent: Agent) -> tuple[str, ...] | Refusal:
        own = agent.provider
        named = exchange.provider_named
        if named is not None:
            if named in self._providers and (own is None or named == own or named in agent.fallback):
                return (named,)
            return Refusal("bad_request", f"agent {agent.id!r} has no provider {named[:64]!r}", status=404)
        if own is None:
            assert exchange.surface is not None
            own = exchange.surface.dialect.name
        return (own, *agent.fallback)
