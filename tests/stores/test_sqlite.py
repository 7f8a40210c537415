"""The store on disk: crashes, locks, checkpoints in a thread, closing."""

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.journal import Reserved
from agentgateway.interfaces import StoreError
from agentgateway.stores import sqlite
from tests.stores.contract import StoreContract
from tests.stores.doubles import START, HeldLane, Ops, States, balances, new_ledger, record, snapshot_of
from tests.stores.ondisk import COUNTED, OnDisk


class SqliteStoreTests(OnDisk, StoreContract, SynchronousTestCase):
    """The contract on files, and what only files have."""

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
