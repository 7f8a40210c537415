"""The store on disk in trouble: failing transactions, full disks, deleted files, too many questions."""

import os

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.logquery import LogQuery
from agentgateway.interfaces import StoreBusy, StoreError
from agentgateway.stores import sqlite
from tests.stores.doubles import START, Ops, balances, full_disk, new_ledger, record, snapshot_of
from tests.stores.ondisk import COUNTED, OnDisk


class TroubleTests(OnDisk, SynchronousTestCase):
    """What fails is told, nothing is lost, and it mends by itself."""

    def test_failing_database(self):
        """A database that fails is told once; nothing is deleted, nothing lost, and it is told when it works again."""
        store, writer = self.held()
        ledger = new_ledger()
        ops = Ops(ledger, store.append)
        for number in range(3):
            ops.on("writer", "count", number, START)
            store.audit(record(number))
            store.checkpoint(snapshot_of(ledger))
            writer.step(StoreError("no luck"))
        self.assertEqual(len(self.states.segments), 2)
        self.assertEqual(len(self.states.alerts), 1)
        self.assertIn("will be tried again: no luck", self.states.alerts[0])
        old = self.states.current
        _, again, _, _ = self.restarted()
        self.assertEqual(balances(again), balances(ledger))
        self.states.current = old
        for _ in range(2):
            store.checkpoint(snapshot_of(ledger))
            writer.step()
        self.assertIn("works again; nothing is missing", self.states.alerts[1])
        self.assertEqual((len(self.states.segments), len(self.states.alerts)), (1, 2))
        store.logs(LogQuery(9)).addCallback(lambda lines: self.assertEqual(len(lines), 3))
        self.lanes["store-read"].step()

    def test_full_disk(self):
        """With the disk full calls go on; spend is in memory, and on disk as soon as there is room."""
        store, ledger = self.opened(), new_ledger()
        ops = Ops(ledger, store.append)
        ops.on("writer", "hold", 9, START)
        with full_disk(70):
            for number in range(20):
                ops.on("writer", "count", number, START)
                self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        self.assertEqual(len(self.states.alerts), 2, self.states.alerts)
        self.assertIn("File too large; what is spent is kept in memory", self.states.alerts[0])
        self.assertIn("a checkpoint failed", self.states.alerts[1])
        ops.on("writer", "count", 99, START)
        old = self.states.current
        _, again, _, _ = self.restarted()
        ledger.journal = None
        expected = ledger.account("writer")
        self.assertEqual(again.account("writer").life.calls, expected.life.calls)
        self.states.current = old
        self.successResultOf(store.close(snapshot_of(ledger)))
        self.assertIn("works again; nothing of it is missing", self.states.alerts[2])
        self.assertIn("works again; nothing is missing", self.states.alerts[3])

    def test_full_database(self):
        """SQLite's own word for a full disk is told in ours."""
        store = self.opened()
        store._database._writing.execute("PRAGMA max_page_count = 1")
        for number in range(200):
            store.audit(record(number))
        self.successResultOf(store.checkpoint(lambda agent: {}))
        self.assertIn("ledger.sqlite: the disk is full", self.states.alerts[0])

    def test_no_new_segment(self):
        """Where a journal segment cannot be begun the checkpoint waits, with an alert, and the old segment goes on."""
        store, ledger = self.opened(), new_ledger()
        ops = Ops(ledger, store.append)
        ops.on("writer", "count", 1, START)
        folder = os.path.join(self.states.current, "ledger.sqlite.journal")
        os.mkdir(os.path.join(folder, "000000000002.jsonl"))
        self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        self.assertIn("cannot begin a journal segment: File exists", self.states.alerts[0])
        ops.on("writer", "count", 2, START)
        os.rmdir(os.path.join(folder, "000000000002.jsonl"))
        self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        _, again, _, _ = self.restarted()
        self.assertEqual(balances(again), balances(ledger))

    def test_deleted_database(self):
        """A database that somebody deletes under the running gateway is an alert, and the journal is kept."""
        store = self.opened()
        os.unlink(os.path.join(self.states.current, "ledger.sqlite"))
        store.append(COUNTED)
        self.successResultOf(store.checkpoint(lambda agent: {}))
        self.assertIn("deleted or replaced while in use", self.states.alerts[0])
        self.assertEqual(len(self.states.segments), 2)

    def test_audit_bound(self):
        """While the index cannot be written it holds the latest records only, and says how many are missing."""
        store, first, other = self.opened(), record(1), record(2)
        for number in range(sqlite.MAX_AUDITS + 2):
            store.audit(first if number < 3 else other)
        self.successResultOf(store.checkpoint(lambda agent: {}))
        count = "SELECT count(*), min(id) FROM audit"
        self.assertEqual(store._database._reading.execute(count).fetchone(), (sqlite.MAX_AUDITS, 1))
        self.assertIn("more records than can be written", self.states.alerts[0])
        self.assertIn("works again; 2 records are missing", self.states.alerts[1])

    def test_retention(self):
        """The index keeps the number of rows it is told to, and drops the oldest."""
        store = self.make(max_rows=10)
        store.open()
        for number in range(35):
            store.audit(record(number))
            if number % 5 == 4:
                self.successResultOf(store.checkpoint(lambda agent: {}))
        self.assertEqual(self.ids(store), [f"r{number}" for number in range(25, 35)])

    def test_query_bound(self):
        """More than a few questions at once are refused, also when those who asked have left."""
        store, _ = self.held()
        for _ in range(sqlite.MAX_QUERIES):
            asked = store.logs(LogQuery())
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
        self.failureResultOf(store.logs(LogQuery()), StoreBusy)
        self.lanes["store-read"].step()
        again = store.logs(LogQuery())
        while self.lanes["store-read"].held:
            self.lanes["store-read"].step()
        self.assertEqual(self.successResultOf(again), [])

    def test_reading_while_writing(self):
        """A query sees what is committed, while a transaction is under way."""
        store = self.logged()
        store._database._writing.execute("BEGIN IMMEDIATE")
        store._database._writing.execute("DELETE FROM audit")
        self.assertEqual(len(self.ids(store, limit=1000)), 200)
        store._database._writing.execute("ROLLBACK")

    def test_failing_query(self):
        """An index that cannot be read fails the question, with an alert."""
        store = self.logged()
        store._database._writing.execute("DROP INDEX audit_by_kind")
        error = self.failureResultOf(store.logs(LogQuery()), StoreError)
        self.assertIn("no such index", error.getErrorMessage())
        self.assertIn("reading the audit index", self.states.alerts[0])
