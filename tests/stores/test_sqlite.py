"""The store on disk: crashes, full disks, damaged files, slow threads."""

import os
import sqlite3

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.journal import Counted, Reserved
from agentgateway.domain.logquery import LogQuery
from agentgateway.interfaces import StoreBusy, StoreError
from agentgateway.stores import sqlite
from tests.stores.contract import StoreContract
from tests.stores.doubles import (
    START,
    HeldLane,
    Ops,
    States,
    balances,
    full_disk,
    new_ledger,
    record,
    snapshot_of,
)

COUNTED = Counted("writer", START, False, 1, 2)


class SqliteStoreTests(StoreContract, SynchronousTestCase):
    """The contract, with a crash that leaves only what the files hold."""

    def setUp(self):
        """A state folder."""
        self.states = States(self)

    def make(self, **options):
        """A store on it."""
        return self.states.store(**options)

    def crash(self):
        """Another one, on what the disk holds now."""
        self.states.crash()
        return self.states.store()

    def held(self, **options):
        """A store in use whose threads wait for `step`."""
        self.lanes = {}

        def lane(name):
            return self.lanes.setdefault(name, HeldLane())

        store = self.states.store(lane, **options)
        store.open()
        return store, self.lanes["store-write"]

    def test_files(self):
        """Nobody else can read the files or enter the folders, and old segments are deleted."""
        store = self.opened()
        store.append(COUNTED)
        self.successResultOf(store.checkpoint(lambda agent: {}))
        store.append(COUNTED)
        self.successResultOf(store.checkpoint(lambda agent: {}))
        self.assertEqual(len(self.states.segments), 1)
        for folder, _, files in os.walk(self.states.current):
            self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
            for name in files:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o777, 0o600, name)

    def test_second_gateway(self):
        """A second gateway on the same state folder is refused, with the number of the first one's process."""
        store = self.opened()
        error = self.assertRaises(StoreError, self.states.store().open)
        self.assertIn(f"lock is held by another gateway (process {os.getpid()})", str(error))
        self.successResultOf(store.close(lambda agent: {}))
        self.states.store().open()

    def test_shared_database(self):
        """Two state folders cannot share a database either."""
        self.opened()
        other = sqlite.SqliteStore(
            os.path.join(self.states.current, "ledger.sqlite"), self.mktemp(), lambda name: HeldLane(), self.fail
        )
        self.assertIn("ledger.sqlite.lock is held", str(self.assertRaises(StoreError, other.open)))

    def test_crash_before_segments_are_deleted(self):
        """Killed between the transaction and the deletion of what it made superfluous, nothing is counted twice."""
        store, ledger = self.opened(), new_ledger()
        Ops(ledger, store.append).on("writer", "count", 5, START)
        (path,) = self.states.segments
        with open(path, "rb") as file:
            data = file.read()
        self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        with open(path, "wb") as file:
            file.write(data)
        _, again, _, _ = self.restarted()
        self.assertEqual(balances(again), balances(ledger))
        self.assertNotIn(os.path.basename(path), map(os.path.basename, self.states.segments))

    def test_crash_during_checkpoint(self):
        """Killed while the thread has a checkpoint to write, the old balances and both segments are found."""
        store, _ = self.held()
        ledger = new_ledger()
        ops = Ops(ledger, store.append)
        ops.on("writer", "count", 5, START)
        self.assertNoResult(store.checkpoint(snapshot_of(ledger)))
        ops.on("writer", "count", 6, START)
        self.assertEqual(len(self.states.segments), 2)
        _, again, _, _ = self.restarted()
        self.assertEqual(balances(again), balances(ledger))
        self.lanes["store-write"].step()

    def test_one_checkpoint_at_a_time(self):
        """While one is being written another is not begun: the next takes all that came meanwhile."""
        store, writer = self.held()
        store.append(COUNTED)
        first = store.checkpoint(lambda agent: {"n": 1})
        store.append(COUNTED)
        self.successResultOf(store.checkpoint(self.fail))
        writer.step()
        self.successResultOf(first)
        store.checkpoint(lambda agent: {"n": 2})
        self.assertEqual(writer.held[0][2][0].snapshots, {"writer": {"n": 2}})
        writer.step()

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

    def test_bug_in_snapshot(self):
        """Should a balance not be had, nothing is forgotten: the next checkpoint asks again."""
        store, ledger = self.opened(), new_ledger()
        Ops(ledger, store.append).on("writer", "count", 1, START)
        self.failureResultOf(store.checkpoint(lambda agent: 1 // 0), ZeroDivisionError)
        self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        _, again, _, _ = self.restarted()
        self.assertEqual(balances(again), balances(ledger))

    def test_close_writes_all(self):
        """Closing waits for the checkpoint under way, then writes the rest, a failed one first."""
        store, writer = self.held()
        ledger = new_ledger()
        ops = Ops(ledger, store.append)
        ops.on("writer", "count", 1, START)
        store.checkpoint(snapshot_of(ledger))
        ops.on("writer", "count", 2, START)
        closed = store.close(snapshot_of(ledger))
        writer.step(StoreError("no luck"))
        writer.step()
        self.assertNoResult(closed)
        writer.step()
        self.successResultOf(closed)
        self.assertTrue(writer.stopped)
        recovered = self.states.store().open()
        self.assertEqual((dict(recovered.snapshots), list(recovered.records)), (ledger.snapshot(), []))

    def test_close_on_failing_disk(self):
        """Closing does not wait for a database that fails: the journal has it all."""
        store, writer = self.held()
        store.append(COUNTED)
        closed = store.close(lambda agent: {})
        writer.step(StoreError("no luck"))
        self.successResultOf(closed)
        self.assertEqual(list(self.states.store().open().records), [COUNTED])

    def test_power(self):
        """To survive a power loss calls wait for a sync; those that come during one share the next."""
        store, _ = self.held(power=True)
        syncer = self.lanes["store-sync"]
        store.append(Reserved("writer", "a", 5))
        first, second, third = store.settled(), store.settled(), store.settled()
        self.assertEqual(len(syncer.held), 1)
        syncer.step()
        self.successResultOf(first)
        self.assertNoResult(second)
        syncer.step()
        self.successResultOf(second)
        self.successResultOf(third)
        closed = store.close(lambda agent: {})
        self.lanes["store-write"].step()
        self.assertNoResult(closed)
        syncer.step()
        self.successResultOf(closed)

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


class SqlTests(SynchronousTestCase):
    """What operators may look at."""

    def test_readable(self):
        """The tables can be read with any SQLite tool, and say what version they are."""
        states = States(self)
        store, ledger = states.store(), new_ledger()
        store.open()
        Ops(ledger, store.append).on("writer", "count", 5, START)
        store.audit(record(1))
        self.successResultOf(store.close(snapshot_of(ledger)))
        other = sqlite3.connect(os.path.join(states.current, "ledger.sqlite"))
        self.addCleanup(other.close)
        life = other.execute("SELECT json_extract(snapshot, '$.life[3]') FROM accounts").fetchone()
        line = other.execute("SELECT json_extract(line, '$.id'), agent FROM audit").fetchone()
        self.assertEqual((life, line), ((5,), ("r1", "writer")))
        self.assertEqual(other.execute("PRAGMA user_version").fetchone(), (2,))
