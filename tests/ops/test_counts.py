"""What is counted of calls."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.money import NANO
from agentgateway.ops.counts import MAX_AGENTS, Counts, Spread
from tests.web.management.doubles import record


class CountsTests(SynchronousTestCase):
    """Calls by agent, provider and outcome."""

    def counts(self, *reserved):
        """Counts of a fleet that knows every agent but strangers."""
        counts = Counts(lambda agent: not agent.startswith("stranger"))
        counts.reserve(reserved)
        return counts

    def test_sums(self):
        """Calls, tokens and money add up, the money exactly."""
        counts = self.counts()
        for outcome in ("ok", "ok", "cut"):
            counts.add(
                record(outcome=outcome, cost_usd=0.1, cache_read_tokens=7, cache_write_tokens=3, reasoning_tokens=1)
            )
        [series] = counts.series
        self.assertEqual((series.agent, series.provider, series.calls), ("writer", "anthropic", {"ok": 2, "cut": 1}))
        self.assertEqual((series.tokens, series.cost), ([30, 15, 21, 9, 3], 3 * NANO // 10))

    def test_refusals(self):
        """Refusals are counted by their reason, whether a provider was chosen or not."""
        counts = self.counts()
        for provider in (None, "openai"):
            counts.add(record(outcome="refused", provider=provider, reason="rate_limited", ttfb_ms=None))
        self.assertEqual(counts.refusals, {("writer", "rate_limited"): 2})

    def test_changes(self):
        """What an operator changes stands in the audit log, and is no call."""
        counts = self.counts()
        counts.add(record(provider=None, path="/api/agents/writer/pause"))
        self.assertEqual(counts.series, [])

    def test_strangers(self):
        """However many names strangers call by, they are one label."""
        counts = self.counts()
        for number in range(2000):
            counts.add(record(agent=f"stranger{number}", provider=None, outcome="refused", reason="unknown_agent"))
        counts.add(record(agent=None, provider=None, outcome="refused", reason="bad_request"))
        [series] = counts.series
        self.assertEqual((series.agent, series.calls), ("unknown", {"refused": 2001}))

    def test_many_agents(self):
        """Past a thousand agents the rest are one label; those of the configuration come first."""
        counts = self.counts("*", "coder")
        for number in range(MAX_AGENTS + 500):
            counts.add(record(agent=f"agent{number}"))
        counts.add(record(agent="coder"))
        names = {series.agent: series.calls["ok"] for series in counts.series}
        self.assertEqual(len(names), MAX_AGENTS + 1)
        self.assertEqual((names["other"], names["coder"]), (501, 1))
        self.assertNotIn("*", counts.agents)

    def test_times(self):
        """Times are kept by provider, of answered calls alone."""
        counts = self.counts()
        counts.add(record(latency_ms=2000, ttfb_ms=100))
        counts.add(record(latency_ms=4000, ttfb_ms=300))
        counts.add(record(outcome="refused", provider="anthropic", reason="circuit_open", ttfb_ms=None))
        self.assertEqual(list(counts.latency), ["anthropic"])
        self.assertEqual((counts.latency["anthropic"].total, counts.first_byte["anthropic"].total), (6.0, 0.4))


class SpreadTests(SynchronousTestCase):
    """Histograms."""

    def test_buckets(self):
        """A bucket holds all up to its edge, the edge included; the last holds everything."""
        spread = Spread()
        for seconds in (0.01, 0.05, 0.051, 1.0, 5000.0):
            spread.add(seconds)
        buckets = dict(spread.buckets())
        self.assertEqual([buckets[edge] for edge in ("0.05", "0.1", "1.0", "600.0", "+Inf")], [2, 3, 4, 4, 5])
