"""A store on files, for the tests of what files can do to it."""

from agentgateway.domain.journal import Counted
from tests.stores.contract import StoreSteps
from tests.stores.doubles import START, HeldLane, States

COUNTED = Counted("writer", START, False, 1, 2)


class OnDisk(StoreSteps):
    """Mixed into a SynchronousTestCase; a crash leaves only what the files hold."""

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
