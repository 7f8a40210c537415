"""The record that a call leaves."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Provider
from agentgateway.domain.audit import encode, iso, record_of
from agentgateway.domain.exchange import Target
from agentgateway.domain.pricing import ASSUMED
from agentgateway.domain.rates import Rates
from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import Asked
from tests.pipeline.calls import call, config_of, fleet_of, later

FIELDS = [
    "id",
    "ts",
    "agent",
    "provider",
    "model",
    "requested_model",
    "method",
    "path",
    "status",
    "outcome",
    "reason",
    "stream",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage",
    "cost_usd",
    "latency_ms",
    "ttfb_ms",
    "session",
    "tags",
    "prices",
]


class AuditTests(SynchronousTestCase):
    """One JSON object a line, the contract's fields in their order."""

    def test_fields(self) -> None:
        """Everything the contract names stands in the record, and nothing else."""
        exchange = call("/v1/messages?key=1", b"{}", (b"x-api-key", b"secret"), uri_upstream="/v1/messages?key=1")
        fleet = fleet_of(config_of("agents: {writer: {tags: [a, b]}}"))
        exchange.agent, exchange.agent_id = fleet.get("writer"), "writer"
        exchange.asked, exchange.model = Asked("sonnet"), "claude-sonnet-4-5"
        exchange.target = Target(Provider("anthropic", "anthropic", "http://x"), None)
        exchange.usage = Usage(40, 25, 2000, 100, 200, 5, reported_input=40)
        exchange.usage_kind, exchange.cost, exchange.rates = "exact", 4_350_001, Rates(1, 2)
        exchange.status, exchange.streamed, exchange.first_byte, exchange.session = 200, True, 0.0125, "s1"
        said = json.loads(encode(record_of(exchange, later(1.5))))
        self.assertEqual(list(said), FIELDS)
        self.assertEqual(
            said,
            {
                **{"id": exchange.id, "ts": iso(exchange.began.wall), "agent": "writer", "provider": "anthropic"},
                **{"model": "claude-sonnet-4-5", "requested_model": "sonnet", "method": "POST"},
                **{"path": "/v1/messages", "status": 200, "outcome": "ok", "reason": None, "stream": True},
                **{"input_tokens": 40, "output_tokens": 25, "cache_read_tokens": 2000, "cache_write_tokens": 300},
                **{"reasoning_tokens": 5, "usage": "exact", "cost_usd": 0.004350001, "latency_ms": 1500.0},
                **{"ttfb_ms": 12.5, "session": "s1", "tags": ["a", "b"], "prices": "known"},
            },
        )

    def test_nothing_known(self) -> None:
        """A call that was refused at once has a record all the same, its query left out."""
        said = json.loads(encode(record_of(call("/v1/x?key=secret"), later(0))))
        self.assertEqual((said["path"], said["agent"], said["provider"], said["prices"]), ("/v1/x", None, None, None))
        self.assertEqual((said["cost_usd"], said["ttfb_ms"], said["tags"]), (0, None, []))

    def test_guessed_price(self) -> None:
        """A price that was assumed is marked."""
        exchange = call()
        exchange.rates = ASSUMED
        self.assertEqual(record_of(exchange, later(0)).prices, "assumed")

    def test_control_characters(self) -> None:
        """What a stranger sends cannot break the line, or the terminal that shows it."""
        exchange = call("/v1/\n\x1b[31m", b"", uri_upstream="/v1/\n\x1b[31m")
        exchange.session = "a\r\nb\x00"
        line = encode(record_of(exchange, later(0)))
        self.assertFalse(any(byte < 32 or byte == 127 for byte in line), line)
        self.assertEqual(json.loads(line)["session"], "a\r\nb\x00")

    def test_further_control_characters(self) -> None:
        """Nor can those that JSON would leave alone; other characters stay readable."""
        exchange = call()
        exchange.session = "\x7f\x9b31m\u2028\u2029 é 漢 😀"
        line = encode(record_of(exchange, later(0)))
        self.assertIn("\\u007f\\u009b31m\\u2028\\u2029 é 漢 😀".encode(), line)
        self.assertEqual(json.loads(line)["session"], exchange.session)

    def test_stamps(self) -> None:
        """Times are UTC with milliseconds, rounded down, also across seconds and back."""
        for wall, text in (
            (0.0, "1970-01-01T00:00:00.000Z"),
            (1_790_000_000.9999, "2026-09-21T14:13:20.999Z"),
            (1_790_000_001.25, "2026-09-21T14:13:21.250Z"),
            (1_790_000_000.5, "2026-09-21T14:13:20.500Z"),
        ):
            self.assertEqual(iso(wall), text)

    @given(st.integers(0, 8 * 10**15))
    def test_cost(self, nano: int) -> None:
        """Dollars are exact up to eight million of them: the number read back is the nano-dollar that was meant."""
        exchange = call()
        exchange.cost = nano
        said = json.loads(encode(record_of(exchange, later(0))), parse_float=str, parse_int=str)
        self.assertEqual(Decimal(said["cost_usd"]) * 10**9, nano)
