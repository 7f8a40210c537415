"""History as the gateway uses it: when it loads, what it says, what it answers."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.history import Point
from agentgateway.domain.logquery import LogQuery
from agentgateway.domain.series import MINUTE, Bucket
from agentgateway.interfaces import StoreBusy, StoreError
from agentgateway.stores.history import archive as module
from agentgateway.stores.history import logfiles
from agentgateway.stores.history.archive import Archive
from agentgateway.stores.history.loader import Loader
from tests.stores.doubles import START
from tests.stores.history.doubles import Database, HeldSessions, Site, numbered


def point(number, calls=1):
    """A row of a chart that `number` tells from others."""
    at = int(START) + 60 * number
    return Point("writer", MINUTE, at, Bucket(at, calls=calls).row)


class LoadTests(SynchronousTestCase):
    """Records and rows into the database."""

    def setUp(self):
        """A process with a database."""
        self.database = Database(self)
        self.site = Site(self, self.database, self.mktemp())

    def test_found(self):
        """What was loaded is found, by other processes, too."""
        other = Site(self, self.database, self.mktemp(), process="p2")
        self.site.load(*numbered(1, 2))
        other.load(*numbered(3))
        self.assertEqual(self.site.ids(), ["r1", "r2", "r3"])
        self.assertEqual(other.ids(), ["r1", "r2", "r3"])

    def test_start(self):
        """What an earlier process could not load is loaded without a new record."""
        self.site.log.write(*numbered(1))
        self.site.load()
        self.assertEqual(self.site.ids(), ["r1"])

    def test_nothing_new(self):
        """A gateway without calls does not ask the database, but for a look at old files every minute."""
        self.site.load(*numbered(1))
        self.site.writing.trouble = "asked"
        self.site.load()
        self.assertEqual(self.site.alerts, [])
        self.site.writing.trouble = None
        self.site.log.rotate()
        self.site.log.write(*numbered(2))
        self.site.clock.advance(61)
        self.site.load()
        self.assertEqual(self.site.ids(), ["r1", "r2"])
        self.assertGreater(self.site.writing.sweeps, 2)

    def test_pauses(self):
        """Between the chunks of a long log calls have their turn; another load meanwhile is none."""
        self.patch(logfiles, "CHUNK", 1000)
        self.site.log.write(*numbered(*range(30)))
        loaded = self.site.archive.load()
        self.assertNoResult(loaded)
        self.assertTrue(0 < len(self.database.ids) < 30)
        self.successResultOf(self.site.archive.load())
        self.site.finish(loaded)
        self.assertEqual(len(self.database.ids), 30)

    def test_outage(self):
        """While the database is away it is told once, and asked less and less often; then all is loaded, and told."""
        self.site.load(*numbered(1))
        self.site.writing.trouble = "no luck"
        self.site.load(*numbered(2))
        self.assertEqual(len(self.site.alerts), 1)
        self.assertEqual(self.site.alerts[0], "history in PostgreSQL: no luck; records wait in the log file")
        asked = []
        self.site.loader.forget = lambda: asked.append(self.site.clock.seconds())
        for _ in range(100):
            self.site.clock.advance(1.0)
            self.site.load()
        self.assertTrue(9 <= len(asked) <= 30, asked)
        self.assertEqual(len(self.site.alerts), 1)
        self.site.writing.trouble = None
        self.site.clock.advance(module.LONGEST_WAIT)
        self.site.load(*numbered(3))
        self.assertEqual(self.database.ids, ["r1", "r2", "r3"])
        self.assertEqual(self.site.alerts[1:], ["history in PostgreSQL: works again; nothing is missing"])

    def test_waits(self):
        """It tells for how long the oldest record waits, through an outage, until all that came meanwhile is loaded."""
        site, archive = self.site, self.site.archive
        site.load(*numbered(1))
        self.assertEqual(archive.waits(), 0)
        site.writing.trouble = "no luck"
        site.clock.advance(7)
        site.load(*numbered(2))
        site.clock.advance(30)
        site.load(*numbered(3))
        self.assertEqual(archive.waits(), 30)
        site.writing.trouble = None
        site.clock.advance(10)
        self.patch(logfiles, "CHUNK", 1)
        loaded = archive.load()
        archive.changed()
        self.assertEqual(archive.waits(), 40)
        site.finish(loaded)
        self.assertAlmostEqual(archive.waits(), 10, 2)
        site.load()
        self.assertEqual(archive.waits(), 0)

    def test_waits_from_the_start(self):
        """What an earlier process has left may wait from the start on, until all is known to be loaded."""
        self.site.clock.advance(5)
        self.assertEqual(self.site.archive.waits(), 5)
        self.site.load()
        self.assertEqual(self.site.archive.waits(), 0)

    def test_file_trouble(self):
        """A file that cannot be read is told to the operators."""
        self.site.log.write(*numbered(1))
        self.site.log.rotate(".gz")
        self.site.load(*numbered(2))
        self.assertEqual(self.site.ids(), ["r2"])
        self.assertEqual(len(self.site.alerts), 1)
        self.assertIn("audit.jsonl.gz", self.site.alerts[0])

    def test_no_folder(self):
        """A log whose folder is gone is told, and does no harm otherwise."""
        self.site.loader._path = "/nowhere/audit.jsonl"
        self.site.load()
        self.assertIn("cannot list the folder of /nowhere/audit.jsonl", self.site.alerts[0])

    def test_charts(self):
        """Rows of charts are written with the next load, and summed over processes; none is lost in an outage."""
        other = Site(self, self.database, self.mktemp(), process="p2")
        self.site.writing.trouble = "away"
        self.site.archive.keep([point(0, 1)])
        self.site.load()
        self.site.archive.keep([point(0, 2), point(1)])
        self.site.writing.trouble = None
        self.site.clock.advance(20)
        self.site.load()
        other.archive.keep([point(0, 5)])
        other.load()
        rows = self.successResultOf(other.archive.chart("writer", MINUTE, START))
        self.assertEqual(rows, [point(0, 7).row, point(1).row])
        self.assertEqual(self.site.archive._points, {})

    def test_many_points(self):
        """So many rows wait and no more; the latest are kept."""
        self.patch(module, "MAX_POINTS", 3)
        self.patch(module, "POINTS", 2)
        self.site.archive.keep([point(number) for number in range(5)])
        self.site.load()
        rows = self.successResultOf(self.site.archive.chart("writer", MINUTE, 0.0))
        self.assertEqual(rows, [point(number).row for number in (2, 3, 4)])


class AskTests(SynchronousTestCase):
    """Questions, and the end."""

    def setUp(self):
        """A process whose database takes its time."""
        self.site = Site(self, Database(self), self.mktemp())
        self.writing, self.reading, self.alerts = HeldSessions(), HeldSessions(), []
        loader = Loader(self.site.log.path, None, self.site.clock.seconds)
        self.archive = Archive("p1", loader, self.writing, self.reading, self.alerts.append, self.site.clock)

    def test_too_many(self):
        """So many questions wait and no more; one that nobody wants to hear keeps its place until it is answered."""
        answers = [self.archive.find(LogQuery()) for _ in range(module.MAX_QUERIES)]
        self.failureResultOf(self.archive.find(LogQuery()), StoreBusy)
        answers[0].addErrback(lambda _: None)
        answers[0].cancel()
        self.failureResultOf(self.archive.chart("a", MINUTE, 0.0), StoreBusy)
        self.reading.held[0].callback([])
        self.reading.held[1].callback([b"x"])
        self.assertEqual(self.successResultOf(answers[1]), [b"x"])
        self.assertNoResult(self.archive.find(LogQuery()))

    def test_fails(self):
        """A question that cannot be answered fails with the reason, which is told once, and once that it works again."""
        for _ in range(2):
            answer = self.archive.find(LogQuery())
            self.reading.held[-1].errback(StoreError("away"))
            self.assertEqual(str(self.failureResultOf(answer, StoreError).value), "away")
        self.assertEqual(self.alerts, ["reading history from PostgreSQL: away"])
        self.archive.find(LogQuery())
        self.reading.held[-1].callback([])
        self.assertEqual(self.alerts[1:], ["reading history from PostgreSQL: works again"])

    def test_close(self):
        """At the end the last records are loaded."""
        self.site.load(*numbered(1))
        self.site.log.write(*numbered(2))
        self.site.archive.changed()
        self.site.finish(self.site.archive.close())
        self.assertTrue(self.site.writing.closed and self.site.reading.closed)
        again = Site(self, Database(self), self.mktemp())
        again.reading.url = again.writing.url = self.site.writing.url
        self.assertEqual(again.ids(), ["r1", "r2"])

    def test_close_in_trouble(self):
        """A database that stands still keeps a gateway from ending for a few seconds only."""
        self.archive.load()
        closed = self.archive.close()
        self.assertNoResult(closed)
        self.site.clock.advance(module.LAST)
        self.successResultOf(closed)
        self.assertGreater(self.writing.cuts, 0)

    def test_close_in_outage(self):
        """A database that is away is not waited for at all."""
        self.archive.load()
        self.writing.held[0].errback(StoreError("away"))
        self.successResultOf(self.archive.close())
        self.assertEqual(len(self.writing.held), 1)
