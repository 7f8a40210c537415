"""Tests of agentgateway.domain.batch."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.batch import Batch, is_error
from agentgateway.domain.history import ALL, History, provider_key
from agentgateway.domain.series import COLUMNS
from tests.domain.test_series import NOON, record

CALLS = st.lists(
    st.builds(
        lambda agent, provider, outcome, cost, first: record(
            agent=agent, provider=provider, outcome=outcome, cost_usd=cost, ttfb_ms=first
        ),
        st.sampled_from(["coder", "writer", None]),
        st.sampled_from(["openai", "anthropic", None]),
        st.sampled_from(["ok", "refused", "truncated"]),
        st.floats(0, 10),
        st.none() | st.floats(0, 1000),
    ),
    max_size=30,
)


class BatchTests(SynchronousTestCase):
    """Several calls at once."""

    def test_errors(self) -> None:
        """Errors are a provider's: 5xx, 429, no answer and a stream that broke off; a caller's mistakes are not."""
        wrong = [("upstream_error", 500), ("upstream_error", 429), ("upstream_error", 200), ("truncated", 200)]
        fine = [("ok", 200), ("upstream_error", 404), ("refused", 503), ("client_gone", 200), ("cut", 200)]
        for outcome, status in wrong + fine:
            call = record(outcome=outcome, status=status)
            self.assertEqual(is_error(call), (outcome, status) in wrong, (outcome, status))

    def test_sums(self) -> None:
        """Calls are added up; a refusal is counted apart; a call without a first byte has no time of it."""
        batch, other = Batch(), Batch()
        batch.add(record(ttfb_ms=None))
        batch.add(record(outcome="refused"))
        other.add(record(outcome="truncated", latency_ms=5.0))
        batch.join(other)
        self.assertEqual((batch.calls, batch.errors, batch.refused, batch.cost), (2, 1, 1, 500_000_000))
        self.assertEqual((batch.latencies, batch.firsts), ([1000.0, 5.0], [100.0]))

    @given(CALLS)
    def test_one_by_one(self, calls: list) -> None:
        """However many calls are taken at once, each series has what it would have had from them one by one."""
        together, singly = History(), History()
        together.add(calls, NOON)
        for call in calls:
            singly.add([call], NOON)
        for key in (ALL, "coder", "writer", provider_key("openai"), provider_key("anthropic")):
            one, other = together.get(key), singly.get(key)
            self.assertEqual(one is None, other is None)
            if one is not None and other is not None:
                both = [series.minutes.columns(NOON) for series in (one, other)]
                self.assertEqual(*[[columns[name] for name in COLUMNS] for columns in both])
                self.assertEqual(one.latencies.quantiles(), other.latencies.quantiles())
