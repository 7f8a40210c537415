"""Signals reach the reactor, and go back to whom they belonged."""

import os
import signal
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.ops.signals import Signals
from tests.harness import reactor, until


class Later:
    """A reactor that does in its own time what other threads ask for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def callFromThread(self, work: Any) -> None:
        """As a reactor's."""
        self.asked.append(work)


class SignalsTests(SynchronousTestCase):
    """Begin and end."""

    def test_borrowed(self) -> None:
        """A signal does its action, in the reactor rather than at once; after the end it is what it was before."""
        came, loop, before = list[str](), Later(), signal.getsignal(signal.SIGUSR1)
        service = Signals(loop, {signal.SIGUSR1: lambda: came.append("usr1")})
        service.startService()
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual((came, len(loop.asked)), ([], 1))
        loop.asked[0]()
        self.assertEqual(came, ["usr1"])
        service.stopService()
        self.assertIs(signal.getsignal(signal.SIGUSR1), before)

    def test_stopped_twice(self) -> None:
        """A second end changes nothing."""
        before = signal.getsignal(signal.SIGUSR1)
        service = Signals(Later(), {signal.SIGUSR1: lambda: None})
        service.startService()
        service.stopService()
        service.stopService()
        self.assertIs(signal.getsignal(signal.SIGUSR1), before)


class ReactorTests(TestCase):
    """With the real reactor."""

    async def test_signal(self) -> None:
        """The reactor wakes up for it."""
        came = list[int]()
        service = Signals(reactor, {signal.SIGUSR1: lambda: came.append(1)})
        service.startService()
        self.addCleanup(service.stopService)
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: came == [1])

    async def test_other_thread(self) -> None:
        """Outside of the main thread signals cannot be had, and are left alone."""
        before = signal.getsignal(signal.SIGUSR1)
        service = Signals(reactor, {signal.SIGUSR1: lambda: None})
        await deferToThread(service.startService)
        self.assertIs(signal.getsignal(signal.SIGUSR1), before)
        service.stopService()
