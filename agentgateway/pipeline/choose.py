"""Where a call goes: the provider named in the path, the agent's own, or the built-in one of the path's dialect."""

from collections.abc import Mapping

from agentgateway.config.schema import Agent, Config, Provider
from agentgateway.domain.exchange import Exchange, Target
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.circuit import enter, leave, may_try, verdict
from agentgateway.pipeline.onion import Answer, Quiet


class Choose(Quiet):
    """Fills in the targets, first choice first, each with its price for the model asked; open circuits are passed over."""

    def __init__(self, config: Config, prices: PriceBook) -> None:
        self._providers: Mapping[str, Provider] = config.providers
        self._prices = prices

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Refuses a provider not the agent's, a model without a price where that is forbidden, and open circuits."""
        assert exchange.agent is not None
        names = self._names(exchange, exchange.agent.config)
        if isinstance(names, Refusal):
            return names
        targets = [self._target(exchange, name, now) for name in names]
        exchange.target = targets[0]
        surface = exchange.surface
        if targets[0].rates is None and surface is not None and surface.billable and (exchange.model or surface.owed):
            return _unpriced(exchange.model)
        waits: list[float] = []
        passable: list[Target] = []
        for target in targets:
            wait = may_try(exchange, target, now)
            if wait is None:
                passable.append(target)
            else:
                waits.append(wait)
        if not passable:
            return _open(names, min(waits))
        exchange.target = passable[0]
        exchange.targets = passable
        return None

    def take(self, exchange: Exchange, now: Moment) -> None:
        """The first target is tried."""
        enter(exchange, exchange.targets[0], now)

    def close(self, exchange: Exchange, now: Moment) -> None:
        """Tell the circuit of the target that was tried last."""
        leave(exchange, verdict(exchange), now)

    def _target(self, exchange: Exchange, name: str, now: Moment) -> Target:
        assert exchange.asked is not None and exchange.agent is not None
        provider, model = self._providers[name], exchange.wanted_model
        exchange.model = model
        if model or (exchange.surface is not None and exchange.surface.owed):
            rates = self._prices.rates_of_call(provider, model, None, now.wall, exchange.asked.context)
        else:
            rates = None  # of no known kind: it costs what the answer says, if it says so
        return Target(provider, rates)

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


def _unpriced(model: str | None) -> Refusal:
    what = (
        f"no price is known for model {model!r}: add it to `prices`" if model else "the call names no model: name one"
    )
    return Refusal("unpriced_model", what)


def _open(names: tuple[str, ...], wait: float) -> Refusal:
    providers = " and ".join(repr(name) for name in names)
    return Refusal("circuit_open", f"provider {providers} failed too often; tried again in {wait:.1f} s", wait)
