"""Surviving a power loss: who waits for which sync, and what happens when syncing fails."""

import os

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.stores.power import GroupSync
from tests.stores.doubles import HeldLane


class GroupSyncTests(SynchronousTestCase):
    """One sync for all who wait."""

    def setUp(self):
        """A file to sync."""
        self.path = self.mktemp()
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, self.fd)
        self.lane, self.alerts = HeldLane(), []
        self.handles = lambda: [os.dup(self.fd)]
        self.sync = GroupSync(self.lane, lambda: self.handles(), self.alerts.append)

    def test_group(self):
        """Those that come during a sync share the next one: theirs may not be in the one under way."""
        first = self.sync.settled()
        others = [self.sync.settled() for _ in range(5)]
        self.lane.step()
        self.successResultOf(first)
        for other in others:
            self.assertNoResult(other)
        self.lane.step()
        for other in others:
            self.successResultOf(other)
        self.assertEqual(self.lane.held, [])

    def test_handles_are_closed(self):
        """Copies of descriptors are closed, also where syncing fails."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.handles = lambda: [writing, os.dup(self.fd)]
        self.successResultOf_after_step()
        self.assertRaises(OSError, os.close, writing)

    def successResultOf_after_step(self):
        """Wait for one sync."""
        waiter = self.sync.settled()
        self.lane.step()
        self.successResultOf(waiter)

    def test_failing(self):
        """A disk that cannot sync is told once, calls go on, and it is told when it can again."""
        good = self.handles
        self.handles = lambda: [os.pipe()[1]]
        self.successResultOf_after_step()
        self.successResultOf_after_step()
        self.assertEqual(len(self.alerts), 1)
        self.handles = good
        self.successResultOf_after_step()
        self.assertIn("works again", self.alerts[1])

    def test_no_descriptors(self):
        """Having no descriptor left is a failure as any other."""

        def none():
            raise OSError(24, "Too many open files")

        self.handles = none
        self.successResultOf_after_step()
        self.assertIn("Too many open files", self.alerts[0])

    def test_cancelled(self):
        """A caller that leaves does not disturb those who wait with it."""
        self.sync.settled()
        left, stays = self.sync.settled(), self.sync.settled()
        left.cancel()
        self.failureResultOf(left, CancelledError)
        self.lane.step()
        self.lane.step()
        self.successResultOf(stays)
