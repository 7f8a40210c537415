"""One series of the history: sums for each minute of an hour and each ten minutes of a day.

A span that is over becomes one short row of bytes; the current one is a bucket. Latencies are kept as quantiles, of the
latest calls of a span. A clock that is stepped back adds to the current span until it has caught up.
"""

import struct
from array import array
from collections import deque
from typing import Any, Final

import attrs

from agentgateway.domain.batch import Batch
from agentgateway.domain.samples import SAMPLES, Samples, quantiles

MINUTE: Final = 60
TEN_MINUTES: Final = 600
KEPT: Final = {MINUTE: 3600, TEN_MINUTES: 86_400}
"""How long rows of each length are kept, in seconds."""
SPARK: Final = 30
"""Minutes of a sparkline."""

ROW: Final = struct.Struct("<IqIIIQQffff")
COLUMNS: Final = (
    *("at", "cost", "calls", "errors", "refused", "input_tokens", "output_tokens"),
    *("p50_ms", "p95_ms", "ttfb_p50_ms", "ttfb_p95_ms"),
)
"""What a row holds, in order; `at` is the span's first epoch second, `cost` nano-dollars."""
_MOST: Final = 2**62
"""No sum is told as more: a provider may claim any number of tokens."""


@attrs.define(eq=False)
class Bucket:
    """The sums of one span so far."""

    at: int
    cost: int = 0
    calls: int = 0
    errors: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latencies: "array[float]" = attrs.Factory(lambda: array("f"))
    """Of the latest calls; the latest `SAMPLES` of them tell."""
    firsts: "array[float]" = attrs.Factory(lambda: array("f"))

    def add(self, batch: Batch) -> None:
        """More calls."""
        self.cost += batch.cost
        self.calls += batch.calls
        self.errors += batch.errors
        self.refused += batch.refused
        self.input_tokens += batch.input_tokens
        self.output_tokens += batch.output_tokens
        _extend(self.latencies, batch.latencies)
        _extend(self.firsts, batch.firsts)

    @property
    def values(self) -> tuple[float, ...]:
        """As in `COLUMNS`."""
        large = [min(_MOST, one) for one in (self.cost, self.input_tokens, self.output_tokens)]
        sums = (self.at, large[0], self.calls, self.errors, self.refused, *large[1:])
        return (*sums, *quantiles(sorted(self.latencies[-SAMPLES:])), *quantiles(sorted(self.firsts[-SAMPLES:])))

    @property
    def row(self) -> bytes:
        """The values, packed."""
        return ROW.pack(*self.values)

    @classmethod
    def of(cls, row: bytes) -> "Bucket":
        """A bucket that goes on where `row` was written; of its latencies only the quantiles are left."""
        at, *sums, p50, p95, first50, first95 = ROW.unpack(row)
        cost, calls, errors, refused, input_tokens, output_tokens = sums
        samples = array("f", [p50, p95]), array("f", [first50, first95])
        return cls(at, cost, calls, errors, refused, input_tokens, output_tokens, *samples)


def _extend(samples: "array[float]", values: list[float]) -> None:
    samples.extend(values)
    if len(samples) > 2 * SAMPLES:
        del samples[:-SAMPLES]


@attrs.define(eq=False)
class Track:
    """The spans of one length of one series; rows are oldest first."""

    span: int
    rows: deque[bytes] = attrs.field(init=False)
    bucket: Bucket | None = None
    fresh: list[bytes] = attrs.Factory(list)
    """Rows that nobody has asked for yet, to store them."""

    @rows.default
    def _rows(self) -> deque[bytes]:
        return deque(maxlen=KEPT[self.span] // self.span)

    def at(self, now: float) -> Bucket:
        """The bucket of `now`."""
        self.turn(now)
        if self.bucket is None:
            self.bucket = Bucket(int(now // self.span) * self.span)
        return self.bucket

    def turn(self, now: float) -> None:
        """Close the current span if it is over by `now`."""
        if self.bucket is not None and self.bucket.at + self.span <= now:
            row, self.bucket = self.bucket.row, None
            self.rows.append(row)
            self.fresh = [*self.fresh[-1:], row]

    def take(self) -> list[bytes]:
        """The fresh rows, and that of the current span as it is."""
        rows, self.fresh = self.fresh, []
        return rows if self.bucket is None else [*rows, self.bucket.row]

    def columns(self, now: float) -> dict[str, list[Any]]:
        """The spans of the time kept, by column; spans without a call are left out."""
        since = now - KEPT[self.span]
        rows: list[tuple[Any, ...]] = [values for values in map(ROW.unpack, self.rows) if values[0] >= since]
        if self.bucket is not None:
            rows.append(self.bucket.values)
        return {name: [values[place] for values in rows] for place, name in enumerate(COLUMNS)}


@attrs.define(eq=False)
class Series:
    """One agent, one provider, or all."""

    minutes: Track = attrs.Factory(lambda: Track(MINUTE))
    tens: Track = attrs.Factory(lambda: Track(TEN_MINUTES))
    latencies: Samples = attrs.Factory(Samples)
    """Milliseconds of the latest calls, whenever they were."""
    firsts: Samples = attrs.Factory(Samples)
    """The same to the first byte."""
    _spark: tuple[int, list[int]] = (0, [])

    def add(self, batch: Batch, now: float) -> None:
        """More calls."""
        self.minutes.at(now).add(batch)
        self.tens.at(now).add(batch)
        self.latencies.extend(batch.latencies)
        self.firsts.extend(batch.firsts)

    def hour(self, now: float) -> tuple[int, int]:
        """Calls, and errors among them, of the last sixty minutes."""
        columns = self.minutes.columns(now)
        return sum(columns["calls"]), sum(columns["errors"])

    def spark(self, now: float) -> list[int]:
        """Calls in each of the latest minutes, this one last."""
        minute = int(now // MINUTE)
        self.minutes.turn(now)
        if self._spark[0] != minute:
            calls = {values[0] // MINUTE: values[2] for values in map(ROW.unpack, self.minutes.rows)}
            self._spark = (minute, [calls.get(minute - ago, 0) for ago in range(SPARK - 1, -1, -1)])
        bucket, past = self.minutes.bucket, self._spark[1]
        return past if bucket is None or bucket.at // MINUTE != minute else [*past[:-1], bucket.calls]
