"""The circuit breakers around one call: entered when a target is tried, left with what came of it."""

from agentgateway.domain.exchange import Exchange, Target
from agentgateway.domain.moment import Moment


def may_try(exchange: Exchange, target: Target, now: Moment) -> float | None:
    """None where the circuit lets a call to `target` pass, else the seconds until it is worth asking again."""
    assert exchange.agent is not None
    return exchange.agent.breaker(target.provider.name).check(now.monotonic)


def enter(exchange: Exchange, target: Target, now: Moment) -> None:
    """`target` is being tried."""
    assert exchange.agent is not None
    exchange.target = target
    exchange.circuit = exchange.agent.breaker(target.provider.name).enter(now.monotonic)


def leave(exchange: Exchange, ok: bool | None, now: Moment) -> None:
    """What came of it: True, False, or None for nothing that says anything about the provider."""
    generation, exchange.circuit = exchange.circuit, None
    if generation is not None and exchange.agent is not None and exchange.target is not None:
        exchange.agent.breaker(exchange.target.provider.name).leave(generation, ok, now.monotonic)


def failed(exchange: Exchange) -> bool:
    """Whether a call counts as an error: a 5xx, 429, time-out, refused connection or truncated stream."""
    if exchange.outcome == "truncated" or (exchange.refusal is not None and exchange.outcome == "upstream_error"):
        return True
    return exchange.outcome == "upstream_error" and (
        exchange.status >= 500 or exchange.status == 429 or exchange.status < 400
    )


def verdict(exchange: Exchange) -> bool | None:
    """What a finished call says of its provider."""
    if exchange.outcome in ("client_gone", "cut", "refused"):
        return None
    return not failed(exchange)
