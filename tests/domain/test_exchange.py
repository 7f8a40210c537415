"""What a call knows of itself."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.refusal import Refusal
from agentgateway.providers.dialect import Asked
from tests.pipeline.calls import call


class ExchangeTests(SynchronousTestCase):
    """A call on its way."""

    def test_new(self) -> None:
        """A call that has just arrived holds nothing and owes nothing."""
        exchange = call()
        self.assertEqual((exchange.cost, exchange.usage_kind, exchange.outcome), (0, "none", "ok"))
        self.assertEqual((exchange.admitted, exchange.closed, exchange.sent), (False, False, False))
        self.assertIsNone(exchange.requested_model)

    def test_usage_is_its_own(self) -> None:
        """No two calls share their counts."""
        one, other = call(), call()
        one.usage.input = 7
        self.assertEqual(other.usage.input, 0)

    def test_refuse(self) -> None:
        """A refusal of ours is `refused`; one because of a provider is that provider's error."""
        for refusal, outcome in (
            (Refusal("rate_limited", "slowly", 2.0), "refused"),
            (Refusal("bad_request", "large", status=413), "refused"),
            (Refusal("upstream_unreachable", "down"), "upstream_error"),
            (Refusal("upstream_timeout", "late"), "upstream_error"),
        ):
            exchange = call()
            exchange.refuse(refusal)
            self.assertIs(exchange.refusal, refusal)
            self.assertEqual(
                (exchange.status, exchange.reason, exchange.outcome), (refusal.status, refusal.reason, outcome)
            )

    def test_path(self) -> None:
        """The path is the one that goes upstream, without its query, of which nothing is ever written down."""
        exchange = call("/agents/a/v1/x?key=secret", uri_upstream="/v1/x?key=secret")
        self.assertEqual(exchange.path, "/v1/x")
        self.assertEqual(call("/v1/x").path, "")

    def test_requested_model(self) -> None:
        """The model asked for is the one the caller named."""
        exchange = call()
        exchange.asked = Asked("gpt-4o")
        self.assertEqual(exchange.requested_model, "gpt-4o")
