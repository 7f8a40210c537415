"""Waiting for what is under way, on a clock that a test turns."""

import os
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.drain import SecondSignal, drain, gone


class Call:
    """A call that ends when it is cut, or a while after."""

    def __init__(self, calls: "set[Call]", obeys: bool = True) -> None:
        self._calls, self._obeys = calls, obeys
        self.cuts = 0
        calls.add(self)

    def drain(self) -> None:
        """As a call's."""
        self.cuts += 1
        if self._obeys:
            self._calls.discard(self)


class DrainTests(SynchronousTestCase):
    """Calls have their time, and no more."""

    def setUp(self) -> None:
        """No calls yet."""
        self.clock, self.calls = Clock(), set[Call]()
        self.again = SecondSignal(self.clock)

    def draining(self, timeout: float = 10.0) -> "Deferred[None]":
        """The wait, begun."""
        return Deferred.fromCoroutine(drain(self.clock, self.calls, timeout, self.again))

    def test_nothing(self) -> None:
        """Without calls there is nothing to wait for."""
        self.successResultOf(self.draining())

    def test_in_time(self) -> None:
        """A call that ends by itself is not cut, and the wait ends with it."""
        call = Call(self.calls)
        done = self.draining()
        self.clock.pump([0.1] * 50)
        self.assertNoResult(done)
        self.calls.discard(call)
        self.clock.advance(0.1)
        self.successResultOf(done)
        self.assertEqual(call.cuts, 0)

    def test_too_late(self) -> None:
        """What is left when the time is over is cut once, all of it."""
        calls = [Call(self.calls) for _ in range(3)]
        done = self.draining()
        self.clock.pump([0.1] * 99)
        self.assertEqual([call.cuts for call in calls], [0, 0, 0])
        self.clock.pump([0.1] * 5)
        self.successResultOf(done)
        self.assertEqual([call.cuts for call in calls], [1, 1, 1])

    def test_stubborn(self) -> None:
        """A call that does not end when it is cut does not hold up the end for long."""
        call = Call(self.calls, obeys=False)
        done = self.draining()
        self.clock.pump([0.1] * 120)
        self.successResultOf(done)
        self.assertEqual(call.cuts, 1)

    def test_at_once(self) -> None:
        """With no time at all, calls are cut at once."""
        call = Call(self.calls)
        done = self.draining(0)
        self.clock.advance(0.1)
        self.successResultOf(done)
        self.assertEqual(call.cuts, 1)

    def test_hurried(self) -> None:
        """A second signal waits for nothing; what the signal did before is as it was when all is over."""
        before = signal.getsignal(signal.SIGTERM)
        call, asked = Call(self.calls), list[Any]()
        self.clock.callFromThread = asked.append  # type: ignore[attr-defined]
        self.again.startService()
        done = self.draining()
        self.clock.advance(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        asked.pop()()
        self.clock.pump([0.1] * 2)
        self.successResultOf(done)
        self.again.stopService()
        self.assertEqual((call.cuts, signal.getsignal(signal.SIGTERM)), (1, before))


class GoneTests(SynchronousTestCase):
    """Connections have a moment."""

    def test_last_one(self) -> None:
        """It is over when the last connection is."""
        clock, connections = Clock(), {1, 2}
        done = Deferred.fromCoroutine(gone(clock, connections))
        clock.advance(0.05)
        self.assertNoResult(done)
        connections.clear()
        clock.advance(0.05)
        self.successResultOf(done)

    def test_a_moment_only(self) -> None:
        """Connections that stay are not waited for."""
        clock = Clock()
        done = Deferred.fromCoroutine(gone(clock, {1}))
        clock.pump([0.05] * 10)
        self.successResultOf(done)
