"""The store of processes that share: the contract, with real files and a real PostgreSQL."""

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from agentgateway.domain.history import Point
from agentgateway.domain.series import MINUTE, Bucket
from agentgateway.interfaces import IFleetHistory, StoreError
from agentgateway.stores.audit import AuditLog
from agentgateway.stores.history.archive import Archive
from agentgateway.stores.history.loader import Loader
from agentgateway.stores.shared import SharedStore
from tests.stores.contract import StoreContract
from tests.stores.doubles import START, Ops, States, balances, new_ledger, record, snapshot_of
from tests.stores.history.doubles import Database, InlineSessions


class LoggedStore(SharedStore):
    """As the gateway uses it: a record is in the log before the store hears of it."""

    def __init__(self, own, archive, log):
        super().__init__(own, archive)
        self._log = log

    def audit(self, record, line=b""):
        """Both."""
        self._log.append(record)
        self._log.flush()
        super().audit(record, line)


class SharedStoreTests(StoreContract, SynchronousTestCase):
    """The contract, and what comes of there being two stores in it."""

    def setUp(self):
        """A state folder, and a database."""
        self.states = States(self)
        self.database = Database(self)
        self.sessions = []

    def make(self):
        """A store on both, without threads."""
        return self.store_on(self.states.store())

    def store_on(self, own):
        """One with these books."""
        os.makedirs(self.states.current, mode=0o700, exist_ok=True)
        path = os.path.join(self.states.current, "audit.jsonl")
        log = AuditLog(path, 10, self.fail)
        self.addCleanup(log.close)

        def archive():
            sessions = [InlineSessions(self.database.url), InlineSessions(self.database.url)]
            for one in sessions:
                self.addCleanup(one.drop)
            self.sessions += sessions
            return Archive("p1", Loader(path, None, lambda: START), *sessions, self.states.alerts.append, Clock())

        return LoggedStore(own, archive, log)

    def crash(self):
        """Another one, on what the disk and the database hold now."""
        self.states.crash()
        return self.make()

    def test_charts(self):
        """It also answers for the charts of all processes; a process that starts again has its own."""
        verifyObject(IFleetHistory, self.make())
        store = self.opened()
        point = Point("writer", MINUTE, int(START), Bucket(int(START), cost=7, calls=2).row)
        store.history([point])
        self.successResultOf(store.checkpoint(self.fail))
        self.assertEqual(self.successResultOf(store.chart("writer", MINUTE, START)), [point.row])
        self.assertEqual(list(self.crash().open().history), [point])

    def test_without_database(self):
        """A start does not need the database; spend is kept, records come there when it is back."""
        store, ledger = self.opened(), new_ledger()
        for one in self.sessions:
            one.trouble = "away"
        Ops(ledger, store.append).on("writer", "count", 5, START)
        store.audit(record(1))
        self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        self.assertIn("away; records wait in the log file", self.states.alerts[0])
        store, again, _, _ = self.restarted()
        self.assertEqual(balances(again), balances(ledger))
        self.successResultOf(store.checkpoint(snapshot_of(again)))
        self.assertEqual(self.ids(store), ["r1"])

    def test_closing_books_that_fail(self):
        """Whatever becomes of the books, the database is let go of."""
        store = self.opened()
        store.append(*[])
        store._own.close = lambda snapshot_of: 1 // 0
        self.failureResultOf(store.close(self.fail), ZeroDivisionError)
        self.assertTrue(all(one.closed for one in self.sessions))
        self.states._opened[0]._release()

    def test_books_in_use(self):
        """Books that another process has are refused before the database is asked."""
        self.opened()
        asked = len(self.sessions)
        self.assertRaises(StoreError, self.make().open)
        self.assertEqual(len(self.sessions), asked)
