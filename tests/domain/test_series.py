"""Tests of agentgateway.domain.series."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.batch import Batch
from agentgateway.domain.samples import SAMPLES
from agentgateway.domain.series import COLUMNS, MINUTE, SPARK, TEN_MINUTES, Bucket, Series, Track

NOON = 1_800_000_000.0
"""A whole minute, ten minutes and hour."""
RECORD = AuditRecord(
    **dict.fromkeys(("agent", "provider", "model", "requested_model", "reason", "session", "prices")),
    **dict.fromkeys(("output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"), 7),
    id="r",
    ts="2027-01-15T08:00:00.000Z",
    method="POST",
    path="/v1/messages",
    status=200,
    outcome="ok",
    stream=False,
    input_tokens=100,
    usage="exact",
    cost_usd=0.25,
    latency_ms=1000.0,
    ttfb_ms=100.0,
    tags=(),
)


def record(**changes: object) -> AuditRecord:
    """A call that went well, but for `changes`."""
    return msgspec.structs.replace(RECORD, **changes)


def batch(record: AuditRecord, error: bool = False) -> Batch:
    """One call, perhaps one that went wrong."""
    one = Batch()
    one.add(msgspec.structs.replace(record, outcome="truncated") if error else record)
    return one


class SeriesTests(SynchronousTestCase):
    """One series."""

    def test_minutes(self) -> None:
        """Calls of one minute are added up, the next minute begins anew, and a minute without calls is left out."""
        series = Series()
        for at in (0, 59.9, 60, 200):
            series.add(batch(record()), NOON + at)
        columns = series.minutes.columns(NOON + 200)
        self.assertEqual(columns["at"], [NOON, NOON + 60, NOON + 180])
        self.assertEqual(columns["calls"], [2, 1, 1])
        self.assertEqual(columns["cost"], [500_000_000, 250_000_000, 250_000_000])
        self.assertEqual(columns["input_tokens"], [200, 100, 100])
        self.assertEqual(series.tens.columns(NOON + 200)["calls"], [4])

    def test_refused(self) -> None:
        """A refusal is counted apart: it is no call, and its latency says nothing of a provider."""
        series = Series()
        series.add(batch(record(outcome="refused", latency_ms=0.1)), NOON)
        columns = series.minutes.columns(NOON)
        self.assertEqual((columns["calls"], columns["refused"], columns["p50_ms"]), ([0], [1], [0.0]))

    def test_kept(self) -> None:
        """Minutes are kept for an hour, ten minutes for a day, however many calls there are."""
        series = Series()
        for at in range(0, 2 * 86_400, 30):
            series.add(batch(record()), NOON + at)
        end = NOON + 2 * 86_400
        self.assertLessEqual(len(series.minutes.columns(end)["at"]), 60)
        self.assertLessEqual(len(series.tens.columns(end)["at"]), 144)
        self.assertGreaterEqual(series.minutes.columns(end)["at"][0], end - 3600)

    def test_clock_back(self) -> None:
        """After the clock was set back, calls are added to the minute it was."""
        series = Series()
        series.add(batch(record()), NOON + 120)
        series.add(batch(record()), NOON)
        self.assertEqual(series.minutes.columns(NOON + 120)["calls"], [2])

    def test_spark(self) -> None:
        """A sparkline has the latest half hour, a number a minute, this one last."""
        series = Series()
        for at in (0, 60, 60, 180):
            series.add(batch(record()), NOON + at)
        spark = series.spark(NOON + 180)
        self.assertEqual((len(spark), spark[-4:]), (SPARK, [1, 2, 0, 1]))
        series.add(batch(record()), NOON + 181)
        self.assertEqual(series.spark(NOON + 181)[-1], 2)
        self.assertEqual(series.spark(NOON + 240)[-5:], [1, 2, 0, 2, 0])

    def test_hour(self) -> None:
        """The last sixty minutes, whatever the clock hour."""
        series = Series()
        for at in (0, 1800, 3700):
            series.add(batch(record(), at == 1800), NOON + at)
        self.assertEqual(series.hour(NOON + 3700), (2, 1))

    def test_samples(self) -> None:
        """Quantiles are of the latest calls, and many calls take no more memory than some."""
        series = Series()
        for number in range(3 * SAMPLES):
            series.add(batch(record(latency_ms=1.0 if number < 2 * SAMPLES else 9.0)), NOON)
        self.assertEqual(len(series.latencies), SAMPLES)
        self.assertEqual(series.latencies.quantiles(), (9.0, 9.0))


class RowTests(SynchronousTestCase):
    """Spans as bytes."""

    @given(st.integers(0, 2**80), st.floats(0, 1e6), st.integers(1, 5))
    def test_any_number(self, tokens: int, cost: float, calls: int) -> None:
        """Whatever a provider claims, a span can be written down and read again."""
        bucket = Bucket(int(NOON))
        for _ in range(calls):
            bucket.add(batch(record(input_tokens=tokens, cost_usd=cost)))
        again = Bucket.of(bucket.row)
        self.assertEqual(again.values[: len(COLUMNS) - 4], bucket.values[: len(COLUMNS) - 4])

    def test_goes_on(self) -> None:
        """A span that was written down half goes on where it was."""
        bucket = Bucket(int(NOON))
        bucket.add(batch(record(), True))
        again = Bucket.of(bucket.row)
        again.add(batch(record()))
        self.assertEqual((again.calls, again.errors, again.cost), (2, 1, 500_000_000))

    def test_take(self) -> None:
        """What was closed is handed out once, with the current span as it is."""
        track = Track(MINUTE)
        track.at(NOON).add(batch(record()))
        track.at(NOON + 60).add(batch(record()))
        self.assertEqual([Bucket.of(row).at for row in track.take()], [NOON, NOON + 60])
        self.assertEqual([Bucket.of(row).at for row in track.take()], [NOON + 60])
        self.assertEqual(Track(TEN_MINUTES).take(), [])
