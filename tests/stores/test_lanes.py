"""Lanes: a thread each, in order, results in the reactor's thread."""

import threading

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.stores.lanes import InlineLane, ThreadLane


class InlineLaneTests(SynchronousTestCase):
    """Without threads."""

    def test_runs(self):
        """Work is done at once; what it raises fails the Deferred."""
        lane = InlineLane()
        self.assertEqual(self.successResultOf(lane.run(divmod, 7, 2)), (3, 1))
        self.failureResultOf(lane.run(divmod, 7, 0), ZeroDivisionError)
        lane.stop()


class ThreadLaneTests(TestCase):
    """With threads."""

    def lane(self):
        """A lane on the real reactor."""
        from twisted.internet import reactor

        lane = ThreadLane(reactor, "lane")
        self.addCleanup(lane.stop)
        return lane

    async def test_one_at_a_time(self):
        """Work is done in order, never two pieces at once, not in the reactor's thread; results come back to it."""
        lane, running, order = self.lane(), threading.Lock(), []

        def work(number):
            self.assertTrue(running.acquire(blocking=False))
            order.append(number)
            running.release()
            return threading.get_ident()

        threads = await gatherResults([lane.run(work, number) for number in range(50)])
        self.assertEqual(order, list(range(50)))
        self.assertNotIn(threading.get_ident(), threads)

    async def test_lanes_do_not_wait_for_each_other(self):
        """A lane whose work hangs delays no other."""
        hanging, free, release = self.lane(), self.lane(), threading.Event()
        hangs = hanging.run(release.wait)
        self.assertEqual(await free.run(lambda: 5), 5)
        release.set()
        await hangs

    async def test_failure(self):
        """What work raises fails the Deferred, and the lane goes on."""
        lane = self.lane()
        await self.assertFailure(lane.run(divmod, 7, 0), ZeroDivisionError)
        self.assertEqual(await lane.run(divmod, 7, 2), (3, 1))

    def test_never_used(self):
        """A lane without work has no thread to end."""
        before = threading.active_count()
        self.lane().stop()
        self.assertEqual(threading.active_count(), before)
