"""The tables in PostgreSQL: making them, bringing them up to date, months."""

from datetime import UTC, datetime, timedelta, timezone
from threading import Thread

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.interfaces import StoreError
from agentgateway.stores.history import schema
from tests.stores.history.doubles import Database


def at_once(url, work):
    """Five connections do this at the same time, in a transaction each; what failed."""
    failed = []

    def start():
        try:
            with psycopg.connect(url) as connection:
                schema.prepare(connection, 10.0)
                work(connection)
        except psycopg.Error as error:
            failed.append(error)

    threads = [Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


class PrepareTests(SynchronousTestCase):
    """A new connection."""

    def setUp(self):
        """A database."""
        self.database = Database(self)

    def test_makes_tables(self):
        """In an empty database all tables are made, in a schema of their own; a second time nothing changes."""
        for _ in range(2):
            self.assertEqual(self.database.connection.execute("SELECT count(*) FROM audit").fetchone(), (0,))
        self.assertEqual(self.database.rows("SELECT number FROM version"), [(len(schema.MIGRATIONS),)])
        others = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        self.assertEqual(self.database.rows(others), [(0,)])

    def test_at_once(self):
        """Processes that start together make them once."""
        self.assertEqual(at_once(self.database.url, lambda connection: None), [])
        self.assertEqual(self.database.rows("SELECT number FROM version"), [(len(schema.MIGRATIONS),)])

    def test_upgrade(self):
        """Tables of an older version get what is new, all of it or nothing."""
        first = self.database.connection
        self.patch(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (n integer)", "SELECT no_such_thing"))
        self.assertRaises(psycopg.errors.UndefinedColumn, getattr, self.database, "connection")
        self.assertEqual(first.execute("SELECT number, to_regclass('more') FROM version").fetchone(), (1, None))
        first.commit()
        self.patch(schema, "MIGRATIONS", schema.MIGRATIONS[:-1])
        self.assertEqual(self.database.connection.execute("SELECT number FROM version, more").fetchall(), [])
        self.assertEqual(self.database.rows("SELECT number FROM version"), [(2,)])

    def test_newer(self):
        """Tables that a newer version has made are left alone."""
        self.database.connection.execute("UPDATE version SET number = 99").connection.commit()
        error = self.assertRaises(StoreError, getattr, self.database, "connection")
        self.assertIn("written by a newer agentgateway: version 99", str(error))

    def test_limits(self):
        """A statement that takes too long is ended by the server."""
        with psycopg.connect(self.database.url) as connection:
            schema.prepare(connection, 1.0)
            limits = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
            self.assertEqual(connection.execute(limits).fetchone(), ("1s", "5s"))


class MonthTests(SynchronousTestCase):
    """Partitions."""

    def setUp(self):
        """A database with tables."""
        self.database = Database(self)
        self.connection = self.database.connection

    @property
    def partitions(self):
        """Their names."""
        found = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit'::regclass ORDER BY 1"
        return [name for (name,) in self.connection.execute(found)]

    def test_months(self):
        """Months are those of UTC, whatever the clock on the wall says."""
        east = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
        self.assertEqual(schema.month_of(east), (2026, 11))
        now = datetime(2026, 2, 28, tzinfo=UTC)
        for months, oldest in ((0, (2026, 2)), (1, (2026, 1)), (2, (2025, 12)), (13, (2025, 1)), (26, (2023, 12))):
            self.assertEqual(schema.oldest_kept(now, months), oldest)

    def test_added(self):
        """Each month is made once, with the indexes of the whole; the next one begins where it ends."""
        for _ in range(2):
            schema.add_months(self.connection, [(2026, 12), (2027, 1)])
        self.assertEqual(self.partitions, ["audit_2026_12", "audit_2027_01"])
        self.connection.execute(
            "INSERT INTO audit (id, ts, kind, line) VALUES ('a', '2026-12-31 23:59:59.999+00', 1, ''), "
            "('b', '2027-01-01 00:00:00+00', 1, '')"
        )
        where = "SELECT id, tableoid::regclass::text FROM audit ORDER BY place"
        self.assertEqual(self.connection.execute(where).fetchall(), [("a", "audit_2026_12"), ("b", "audit_2027_01")])
        indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'audit_2026_12'"
        self.assertEqual(self.connection.execute(indexes).fetchone(), (3,))

    def test_at_once(self):
        """Processes that meet in a new month make it once."""
        self.assertEqual(at_once(self.database.url, lambda connection: schema.add_months(connection, [(2026, 12)])), [])
        self.assertEqual(self.partitions, ["audit_2026_12"])

    def test_dropped(self):
        """Those before a month go, and only those."""
        schema.add_months(self.connection, [(2025, 9), (2025, 12), (2026, 1)])
        schema.drop_months(self.connection, (2025, 12))
        self.assertEqual(self.partitions, ["audit_2025_12", "audit_2026_01"])
