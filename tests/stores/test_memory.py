"""The store in memory keeps the contract, in its own process."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.logquery import LogQuery
from agentgateway.stores.memory import MemoryStore
from tests.stores.contract import StoreContract
from tests.stores.doubles import record


class MemoryStoreTests(StoreContract, SynchronousTestCase):
    """What a crash loses is what its process would: nothing, as long as the object is there."""

    def make(self):
        """One store, for all of a test."""
        if not hasattr(self, "store"):
            self.store = MemoryStore()
        return self.store

    crash = make

    def test_bounded(self):
        """It keeps the latest records only."""
        store = MemoryStore(max_rows=3)
        for number in range(5):
            store.audit(record(number))
        self.assertEqual(len(self.successResultOf(store.logs(LogQuery(10)))), 3)
