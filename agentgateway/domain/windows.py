"""Clock hours and days of a time zone, as half-open stretches of epoch seconds.

A **day** runs from one local midnight to the next: 23 or 25 hours where clocks change. Where midnight is skipped or
comes twice, the day begins at the instant that the first reading of midnight names.

An **hour** is a local clock hour under one offset from UTC, so an hour that clocks repeat is two windows, and none is
longer than 3,600 seconds. Where clocks change by half an hour (Lord Howe) the hour they change in is cut there.

Days and hours tile the time line: no gap, no overlap, whatever the zone.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

import attrs

HOUR: Final = 3600


@attrs.frozen
class Window:
    """From `start` (included) to `end` (excluded), in epoch seconds."""

    start: int
    end: int

    def __contains__(self, now: float) -> bool:
        return self.start <= now < self.end


NEVER: Final = Window(0, 0)
"""A window that nothing lies in."""


@attrs.define
class Calendar:
    """The hours and days of one zone. The latest of each is kept, so that asking again costs a comparison."""

    zone: ZoneInfo
    _hour: Window = NEVER
    _day: Window = NEVER

    @classmethod
    def of(cls, timezone: str) -> Self:
        """The calendar of an IANA zone, as in "Europe/Berlin". Raises ZoneInfoNotFoundError or ValueError."""
        return cls(ZoneInfo(timezone))

    def hour(self, now: float) -> Window:
        """The clock hour of an instant."""
        if now not in self._hour:
            self._hour = self._hour_of(int(now // 1))
        return self._hour

    def day(self, now: float) -> Window:
        """The local day of an instant."""
        if now not in self._day:
            self._day = self._day_of(now)
        return self._day

    def _hour_of(self, now: int) -> Window:
        offset = self._offset(now)
        start = (now + offset) // HOUR * HOUR - offset
        end = start + HOUR
        if self._offset(start) != offset:
            start = self._change(start, now)
        if self._offset(end - 1) != offset:
            end = self._change(now, end - 1)
        return Window(start, end)

    def _change(self, before: int, after: int) -> int:
        """The second at which the offset becomes what it is `after`, by halving."""
        offset = self._offset(after)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                after = middle
            else:
                before = middle
        return after

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at, self.zone).utcoffset() or timedelta()
        return int(offset.total_seconds())

    def _day_of(self, now: float) -> Window:
        today = datetime.fromtimestamp(now, UTC).date()
        # Two days on either side: offsets reach 14 hours, and a zone may skip a whole day (Apia, 2011).
        dates = (today + timedelta(days) for days in range(-2, 4))
        midnights = [int(datetime(d.year, d.month, d.day, tzinfo=self.zone).timestamp()) for d in dates]
        return Window(max(at for at in midnights if at <= now), min(at for at in midnights if at > now))
