"""Rows of the charts of all processes."""

from array import array

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.history import ALL, Point
from agentgateway.domain.series import COLUMNS, MINUTE, ROW, TEN_MINUTES, Bucket
from agentgateway.stores.history import charts
from tests.stores.history.doubles import Database

AT = 1_792_886_400


def point(at=AT, key=ALL, span=MINUTE, latency=0.0, **sums):
    """A row of a chart; all its quantiles are `latency`."""
    samples = array("f", [latency, latency])
    return Point(key, span, at, Bucket(at, latencies=samples, firsts=samples, **sums).row)


class ChartTests(SynchronousTestCase):
    """Several processes' rows."""

    def setUp(self):
        """A database."""
        self.connection = Database(self).connection

    def write(self, process, *points):
        """In a transaction."""
        charts.write(self.connection, process, points)
        self.connection.commit()

    def read(self, since=AT, key=ALL, span=MINUTE):
        """Rows by name."""
        rows = charts.read(self.connection, key, span, since)
        return [dict(zip(COLUMNS, ROW.unpack(row), strict=True)) for row in rows]

    def test_sums(self):
        """The same minute of all processes is one row: sums, the mean median by calls, the slowest 95th percentile."""
        self.write(
            "p1", point(cost=2**40, calls=3, errors=1, refused=2, input_tokens=5, output_tokens=6, latency=100.0)
        )
        self.write("p2", point(cost=1, calls=1, errors=0, refused=0, input_tokens=1, output_tokens=1, latency=20.0))
        (row,) = self.read()
        self.assertEqual(
            row,
            {"at": AT, "cost": 2**40 + 1, "calls": 4, "errors": 1, "refused": 2, "input_tokens": 6, "output_tokens": 7}
            | {"p50_ms": 80.0, "p95_ms": 100.0, "ttfb_p50_ms": 80.0, "ttfb_p95_ms": 100.0},
        )

    def test_later_stands(self):
        """Of two rows of one minute and process the later one stands."""
        self.write("p1", point(calls=1))
        self.write("p1", point(calls=5))
        self.assertEqual([row["calls"] for row in self.read()], [5])

    def test_apart(self):
        """Series, spans and times are kept apart; rows come oldest first."""
        self.write("p1", point(AT + 60, calls=2), point(calls=1), point(key="writer", calls=4))
        self.write("p2", point(AT - 60, calls=8), point(span=TEN_MINUTES, calls=16))
        self.assertEqual([row["calls"] for row in self.read()], [1, 2])
        self.assertEqual([row["calls"] for row in self.read(AT - 60)], [8, 1, 2])
        self.assertEqual([row["calls"] for row in self.read(key="writer")], [4])
        self.assertEqual([row["calls"] for row in self.read(span=TEN_MINUTES)], [16])
        for key in ("nobody", "", "\0", "\ud800"):
            self.assertEqual(self.read(AT + 120, key=key), [])

    def test_refused_only(self):
        """A minute in which nothing was let through has a row, too."""
        self.write("p1", point(refused=3))
        self.assertEqual([(row["calls"], row["refused"]) for row in self.read()], [(0, 3)])

    def test_large(self):
        """No sum goes beyond what a row holds."""
        for process in ("p1", "p2", "p3"):
            self.write(process, point(cost=2**62, calls=2**32 - 1, input_tokens=2**62, output_tokens=2**62))
        (row,) = self.read()
        self.assertEqual((row["cost"], row["calls"], row["input_tokens"]), (2**62, 2**32 - 1, 2**62))

    def test_trim(self):
        """Rows that no chart shows any more go."""
        self.write("p1", point(), point(span=TEN_MINUTES), point(AT + 3600))
        charts.trim(self.connection, AT + 3700)
        self.assertEqual([row["at"] for row in self.read(0)], [AT + 3600])
        self.assertEqual(len(self.read(0, span=TEN_MINUTES)), 1)
        charts.trim(self.connection, AT + 90_000)
        self.assertEqual((self.read(0), self.read(0, span=TEN_MINUTES)), ([], []))
