"""Timers that nothing stops but their service."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.timers import guarded, timer


class TimersTests(SynchronousTestCase):
    """Work that fails."""

    def test_goes_on(self) -> None:
        """Work is done at once and then every so many seconds, although it raises; each failure is logged."""
        clock, done = Clock(), list[float]()

        def work() -> None:
            done.append(clock.seconds())
            raise ValueError("once more")

        service = timer(clock, 2.0, work)
        service.startService()
        clock.pump([2.0, 2.0])
        self.assertEqual(done, [0.0, 2.0, 4.0])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)
        self.successResultOf(service.stopService())
        clock.pump([2.0, 2.0])
        self.assertEqual(len(done), 3)

    def test_guarded(self) -> None:
        """Nothing comes out of guarded work, not even its result."""
        self.assertIsNone(guarded(lambda: 1)())
        guarded(lambda: 1 // 0)()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
