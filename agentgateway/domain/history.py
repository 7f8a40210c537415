"""What happened lately, for charts, in bounded memory: a series for each agent, each provider and all together."""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.batch import Batch
from agentgateway.domain.series import KEPT, MINUTE, ROW, Bucket, Series

ALL: Final = ""
"""The key of the series of all calls; an agent's key is its id."""
MAX_SERIES: Final = 3000
"""Beyond, the series that was idle longest is dropped."""


def provider_key(name: str) -> str:
    """The key of a provider's series; no agent's id has a slash."""
    return "/" + name


@attrs.frozen
class Point:
    """A span that is over, or a part of it, for a store: what of two with one key, span and `at` comes later stands."""

    key: str
    span: int
    at: int
    row: bytes


@attrs.define(eq=False)
class History:
    """All series; the one that was idle longest comes first."""

    _series: dict[str, Series] = attrs.Factory(dict)

    def add(self, records: Iterable[AuditRecord], now: float) -> Batch:
        """Calls that ended by `now` (epoch seconds); their sums."""
        batches: dict[tuple[str | None, str | None], Batch] = {}
        for record in records:
            whose = record.agent, record.provider
            batch = batches.get(whose)
            if batch is None:
                batch = batches[whose] = Batch()
            batch.add(record)
        whole = Batch()
        for (agent, provider), batch in batches.items():
            whole.join(batch)
            if agent is not None:
                self._of(agent).add(batch, now)
            if provider is not None:
                self._of(provider_key(provider)).add(batch, now)
        if batches:
            self._of(ALL).add(whole, now)
        return whole

    def get(self, key: str) -> Series | None:
        """The series of a key, if it has one."""
        return self._series.get(key)

    def turn(self, now: float) -> Iterator[Point]:
        """Close the minutes that are over, a series a step: what is to be stored of them, and of their ten minutes."""
        for key, series in list(self._series.items()):
            series.minutes.turn(now)
            if series.minutes.fresh:
                series.tens.turn(now)
                yield from _points(key, series)

    def end(self) -> Iterator[Point]:
        """All that is not stored yet, at the end of the process."""
        for key, series in list(self._series.items()):
            yield from _points(key, series)

    def restore(self, points: Iterable[Point], now: float) -> None:
        """What was stored; the current spans go on."""
        for point in sorted(points, key=lambda point: point.at):
            if not now - KEPT[point.span] <= point.at <= now or len(point.row) != ROW.size:
                continue
            series = self._of(point.key)
            track = series.minutes if point.span == MINUTE else series.tens
            if point.at + point.span > now:
                track.bucket = Bucket.of(point.row)
            else:
                track.rows.append(point.row)

    def _of(self, key: str) -> Series:
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MAX_SERIES:
                self._drop_idlest()
            series = self._series[key] = Series()
        elif series.minutes.bucket is None:  # its first call of a minute: now it is the least idle
            self._series[key] = self._series.pop(key)
        return series

    def _drop_idlest(self) -> None:
        del self._series[next(key for key in self._series if key != ALL)]


def _points(key: str, series: Series) -> Iterator[Point]:
    for track in (series.minutes, series.tens):
        for row in track.take():
            yield Point(key, track.span, ROW.unpack(row)[0], row)
