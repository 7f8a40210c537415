"""Hours and days, where clocks are changed and where they are not."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.windows import HOUR, Calendar, Window

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu"]
ZONES += ["Pacific/Apia", "America/Havana", "America/St_Johns", "America/Sao_Paulo", "Africa/Casablanca"]
instants = st.integers(int(datetime(1995, 1, 1).timestamp()), int(datetime(2037, 1, 1).timestamp()))


def epoch(text):
    """Epoch seconds of an ISO time with its offset."""
    return int(datetime.fromisoformat(text).timestamp())


class DayTests(SynchronousTestCase):
    """Where `cost_today` begins and ends."""

    def lengths(self, zone, *texts):
        """Hours of the days of these instants."""
        calendar = Calendar.of(zone)
        days = [calendar.day(epoch(text)) for text in texts]
        return [(day.end - day.start) / HOUR for day in days]

    def test_midnight(self):
        """A day ends with its last second and the next begins at local midnight."""
        calendar = Calendar.of("Europe/Berlin")
        before, after = (calendar.day(epoch("2026-11-24T00:00:00+01:00") - early) for early in (0.001, 0))
        self.assertEqual(before.end, after.start)
        self.assertEqual(after, Window(epoch("2026-11-24T00:00:00+01:00"), epoch("2026-11-25T00:00:00+01:00")))

    def test_berlin(self):
        """In Berlin the last Sunday of March has 23 hours and that of October 25."""
        days = ("2026-03-28T12:00+01:00", "2026-03-29T12:00+02:00", "2026-10-25T12:00+01:00", "2026-10-26T12:00+01:00")
        self.assertEqual(self.lengths("Europe/Berlin", *days), [24, 23, 25, 24])

    def test_new_york(self):
        """In New York the second Sunday of March has 23 hours and the first of November 25."""
        days = ("2026-03-08T00:00-05:00", "2026-03-08T23:59-04:00", "2026-11-01T00:00-04:00", "2026-11-01T23:59-05:00")
        self.assertEqual(self.lengths("America/New_York", *days), [23, 23, 25, 25])

    def test_lord_howe(self):
        """On Lord Howe Island, which changes clocks by half an hour, such days have 23.5 and 24.5 hours."""
        days = ("2026-10-04T12:00+11:00", "2026-04-05T12:00+10:30")
        self.assertEqual(self.lengths("Australia/Lord_Howe", *days), [23.5, 24.5])

    def test_midnight_twice_or_never(self):
        """Days hold together where midnight is skipped, comes twice, or a whole day never was."""
        self.assertEqual(self.lengths("America/Sao_Paulo", "2018-11-04T12:00-02:00"), [23])
        self.assertEqual(self.lengths("America/Havana", "2026-11-01T12:00-05:00"), [25])
        self.assertEqual(self.lengths("America/St_Johns", "2010-11-06T23:30-03:30", "2010-11-06T12:00-02:30"), [25, 24])
        self.assertEqual(self.lengths("Pacific/Apia", "2011-12-29T12:00-10:00", "2011-12-31T12:00+14:00"), [24, 24])


class HourTests(SynchronousTestCase):
    """Where `cost_this_hour` begins and ends."""

    def starts(self, zone, first, last):
        """Every hour from one instant to another, by its minutes since the first and its length."""
        calendar, at, found = Calendar.of(zone), epoch(first), []
        while at < epoch(last):
            hour = calendar.hour(at)
            found.append(((hour.start - epoch(first)) / 60, (hour.end - hour.start) / 60))
            at = hour.end
        return found

    def test_berlin_autumn(self):
        """The hour that comes twice is two hours, of an hour each."""
        found = self.starts("Europe/Berlin", "2026-10-25T01:00+02:00", "2026-10-25T04:00+01:00")
        self.assertEqual(found, [(0, 60), (60, 60), (120, 60), (180, 60)])

    def test_new_york_spring(self):
        """The hour that is skipped is no hour."""
        found = self.starts("America/New_York", "2026-03-08T01:00-05:00", "2026-03-08T04:00-04:00")
        self.assertEqual(found, [(0, 60), (60, 60)])

    def test_lord_howe(self):
        """A change by half an hour cuts the hour it falls into; none is longer than an hour."""
        spring = self.starts("Australia/Lord_Howe", "2026-10-04T01:00+10:30", "2026-10-04T04:00+11:00")
        self.assertEqual(spring, [(0, 60), (60, 30), (90, 60)])
        autumn = self.starts("Australia/Lord_Howe", "2026-04-05T01:00+11:00", "2026-04-05T03:00+10:30")
        self.assertEqual(autumn, [(0, 60), (60, 30), (90, 60)])

    def test_half_hour_zone(self):
        """In India the hour turns when the clock there says so."""
        hour = Calendar.of("Asia/Kolkata").hour(epoch("2026-11-23T10:15:00+05:30"))
        self.assertEqual(hour, Window(epoch("2026-11-23T10:00:00+05:30"), epoch("2026-11-23T11:00:00+05:30")))


class CalendarTests(SynchronousTestCase):
    """What holds for every zone."""

    def test_unknown_zone(self):
        """A zone nobody knows is an error when it is named, not when the first hour ends."""
        self.assertRaises(ZoneInfoNotFoundError, Calendar.of, "Europe/Atlantis")

    @given(st.sampled_from(ZONES), instants, st.floats(0, 0.999))
    def test_tiles(self, zone, at, fraction):
        """Each instant lies in one hour and one day, and where a window ends the next one begins."""
        calendar, now = Calendar.of(zone), at + fraction
        for windows in (calendar.hour, calendar.day):
            window = windows(now)
            self.assertIn(now, window)
            self.assertEqual(windows(window.end).start, window.end)
            self.assertEqual(windows(window.start - 1).end, window.start)
            for inside in (window.start, window.end - 1, now):
                self.assertEqual(windows(inside), window)
        self.assertLessEqual(calendar.hour(now).end - calendar.hour(now).start, HOUR)

    @given(st.sampled_from(ZONES), instants)
    def test_one_reading(self, zone, at):
        """All of an hour reads the same hour on a local clock."""
        hour, local = Calendar.of(zone).hour(at), ZoneInfo(zone)
        readings = {datetime.fromtimestamp(t, local).strftime("%F %H %z") for t in (hour.start, at, hour.end - 1)}
        self.assertEqual(len(readings), 1)

    @given(st.sampled_from(ZONES), st.lists(instants, max_size=8))
    def test_order_does_not_matter(self, zone, instants):
        """What was asked before changes no answer."""
        calendar = Calendar.of(zone)
        for at in instants:
            fresh = Calendar.of(zone)
            self.assertEqual((calendar.hour(at), calendar.day(at)), (fresh.hour(at), fresh.day(at)))
