"""Questions to the audit log."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import iso
from agentgateway.domain.logquery import MAX_LIMIT, LogQuery, millis
from tests.stores.doubles import START, record


class LogQueryTests(SynchronousTestCase):
    """What is asked for, and what is not."""

    @given(st.integers(0, 4_000_000_000_000))
    def test_millis(self, ms):
        """The time of a record is read back to the millisecond."""
        text = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"
        self.assertEqual(millis(text), ms)

    def test_iso(self):
        """It is the time that the audit log writes."""
        self.assertEqual(millis(iso(START + 0.25)), START * 1000 + 250)

    def test_limit(self):
        """Limits are neither negative nor without end."""
        self.assertEqual([LogQuery(limit).count for limit in (-5, 0, 7, 10**9)], [0, 0, 7, MAX_LIMIT])

    def test_matches(self):
        """All that is given must hold; the start of a time is included, its end is not."""
        one = record(1, START, "writer", 402, "refused")
        for query in (
            LogQuery(),
            LogQuery(agent="writer", status=402, outcome="refused", since=START, until=START + 0.001),
        ):
            self.assertTrue(query.matches(one), query)
        for query in (
            LogQuery(agent="reader"),
            LogQuery(status=200),
            LogQuery(outcome="ok"),
            LogQuery(since=START + 0.001),
            LogQuery(until=START),
        ):
            self.assertFalse(query.matches(one), query)
        self.assertFalse(LogQuery(agent="None").matches(record(1, agent=None)))
