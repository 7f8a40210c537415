"""The stand-in without a server keeps the promises of the real one."""

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import TestCase

from agentgateway.interfaces import LiveError
from tests.stores.live.contract import LiveSteps
from tests.stores.live.memory import MemoryLive, MemoryServer


class MemoryLiveTests(LiveSteps, TestCase):
    """Everything happens at once."""

    def setUp(self) -> None:
        """A server that knows nothing."""
        self.server = MemoryServer()

    def make(self, process: str) -> MemoryLive:
        """A process of the fleet."""
        return MemoryLive(self.server, process)

    async def until(self, condition: Callable[[], Any]) -> None:
        """It is so already."""
        self.assertTrue(condition())

    def test_cut_off(self) -> None:
        """Cut off, every question fails; news that were missed come with the first answer."""
        one, two = self.make("one"), self.make("two")
        heard: list[Any] = []
        one.start(heard.append)
        one.cut = True
        self.failureResultOf(one.sync([]), LiveError)
        self.failureResultOf(one.tell("standing", "writer", b""), LiveError)
        self.failureResultOf(one.once("key", 1), LiveError)
        self.successResultOf(two.tell("standing", "writer", b"1"))
        self.assertEqual((heard, one.up), ([], False))
        one.cut = False
        self.successResultOf(one.sync([]))
        self.assertEqual((len(heard), one.up), (1, True))
