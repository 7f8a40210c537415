"""Choosing a store by its URL."""

import importlib
import os
import sys
import threading

from twisted.trial.unittest import TestCase

from agentgateway.config.schema import Secret, Shared
from agentgateway.domain.journal import Reserved, Settled
from agentgateway.domain.logquery import LogQuery
from agentgateway.interfaces import StoreError
from agentgateway.stores.make import make_store
from agentgateway.stores.memory import MemoryStore
from tests.postgres import server
from tests.stores.doubles import START, new_ledger, record, snapshot_of
from tests.stores.history.doubles import Log


class MakeStoreTests(TestCase):
    """The stores as the gateway uses them, with real threads."""

    def make(self, url, **options):
        """A store for a state folder of its own."""
        from twisted.internet import reactor

        self.folder = getattr(self, "folder", None) or self.mktemp()
        return make_store(url, self.folder, reactor, self.fail, **options)

    def test_memory(self):
        """``memory:`` makes no file."""
        self.assertIsInstance(self.make("memory:"), MemoryStore)
        self.assertFalse(os.path.exists(self.folder))

    def test_unknown(self):
        """An unknown scheme is refused with those there are."""
        error = self.assertRaises(StoreError, self.make, "redis://x")
        self.assertEqual(str(error), "store: expected one of memory, sqlite, got 'redis'")

    async def test_sqlite(self):
        """``sqlite:PATH`` remembers across a restart, answers questions, and leaves no thread behind."""
        for durability in ("process", "power"):
            path = os.path.join(self.mktemp(), "deep", "x.sqlite")
            for run in range(2):
                store, ledger = self.make(f"sqlite:{path}", durability=durability), new_ledger()
                store.open().into(ledger, store.append, START)
                self.assertEqual(ledger.account("writer").life.cost, 4 * run)
                store.append(Reserved("writer", "a", 5), Settled("writer", "a", 4, START))
                ledger.replay(Reserved("writer", "a", 5))
                ledger.replay(Settled("writer", "a", 4, START))
                store.audit(record(run))
                settled = store.settled()
                self.assertEqual(settled is None, durability == "process")
                await settled if settled else None
                await store.checkpoint(snapshot_of(ledger))
                self.assertEqual(len(await store.logs(LogQuery())), run + 1)
                await store.close(snapshot_of(ledger))
                self.assertEqual([one.name for one in threading.enumerate() if "store" in one.name], [])

    def shared(self, history):
        """What processes share, as far as this store is concerned."""
        return Shared(Secret("redis://nobody"), Secret(history))

    async def test_shared(self):
        """With a shared store books are the process's own, records are everybody's; no thread is left behind."""
        shared, answers = self.shared(server().database()), []
        for number in range(2):
            self.folder = self.mktemp()
            log = Log(self.folder)
            store = self.make(f"sqlite:{self.folder}/x.sqlite", shared=shared, log_file=log.path)
            ledger = new_ledger()
            store.open().into(ledger, store.append, START)
            self.assertEqual(ledger.account("writer").life.cost, 0)
            store.append(Settled("writer", "a", 4, START))
            log.write(record(number))
            store.audit(record(number))
            await store.checkpoint(snapshot_of(ledger))
            answers.append(len(await store.logs(LogQuery())))
            await store.close(snapshot_of(ledger))
        self.assertEqual(answers, [1, 2])
        names = [one.name for one in threading.enumerate() if one.is_alive()]
        self.assertEqual([name for name in names if "store" in name or "PoolThread" in name], [])

    def test_shared_without_log(self):
        """Without a log there is nothing to load history from."""
        error = self.assertRaises(StoreError, self.make, "memory:", shared=self.shared("postgresql://h/d"))
        self.assertIn("audit.log_file is needed", str(error))

    def test_shared_not_installed(self):
        """Without the extra it says what to install."""
        name = "agentgateway.stores.history.archive"  # the first of those that import what may be missing
        self.addCleanup(sys.modules.__setitem__, name, importlib.import_module(name))
        sys.modules[name] = None
        error = self.assertRaises(
            StoreError, self.make, "memory:", shared=self.shared("postgresql://h/d"), log_file="audit.jsonl"
        )
        self.assertIn("store.history needs twisted-agentgateway[shared]", str(error))
