"""What a call tells the circuits of the providers it tried."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange, Target
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.circuit import enter, failed, leave, may_try, verdict
from tests.pipeline.calls import NOW, call, config_of, fleet_of, later

CONFIG = "agents: {writer: {provider: openai, circuit_breaker: {error_threshold: 1, reset_timeout: 1000}}}"


def ended(outcome: Any, status: int = 200, refusal: Refusal | None = None) -> Exchange:
    """A call that ended so."""
    exchange = call()
    exchange.outcome, exchange.status, exchange.refusal = outcome, status, refusal
    return exchange


class VerdictTests(SynchronousTestCase):
    """Which ends speak for or against a provider."""

    def test_against(self) -> None:
        """5xx, 429, time-outs, refused connections, broken streams and errors within a stream are errors."""
        unreachable = Refusal("upstream_unreachable", "gone")
        for exchange in (
            *(ended("upstream_error", status) for status in (429, 500, 503, 529, 200)),
            ended("upstream_error", 502, unreachable),
            ended("truncated"),
        ):
            self.assertIs(verdict(exchange), False)
            self.assertTrue(failed(exchange))

    def test_for(self) -> None:
        """A good answer speaks for it, and so does one that refuses a bad request."""
        for exchange in (ended("ok"), ended("upstream_error", 400), ended("upstream_error", 404)):
            self.assertIs(verdict(exchange), True)

    def test_nothing(self) -> None:
        """Calls that this side ended say nothing of the provider."""
        for outcome in ("client_gone", "cut", "refused"):
            self.assertIsNone(verdict(ended(outcome)))


class CircuitTests(SynchronousTestCase):
    """Entering and leaving."""

    def test_told_once(self) -> None:
        """A circuit hears of each try once; the next target's circuit is another."""
        config = config_of(CONFIG)
        fleet, exchange = fleet_of(config), call()
        exchange.agent = fleet.get("writer")
        first, second = (Target(config.providers[name], None) for name in ("openai", "groq"))
        enter(exchange, first, NOW)
        leave(exchange, False, NOW)
        leave(exchange, True, NOW)
        self.assertEqual(may_try(exchange, first, NOW), 1.0)
        self.assertIsNone(may_try(exchange, second, NOW))
        self.assertIsNone(may_try(exchange, first, later(1)))
