"""The one coroutine of a call, driven."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.web.work import Work


class WorkTests(SynchronousTestCase):
    """Results and failures come in where they were waited for; cancelling does, too."""

    def setUp(self) -> None:
        """Nothing has been noted."""
        self.notes: list[Any] = []
        self.failures: list[Failure] = []

    async def waiting(self, *waited: Deferred[Any]) -> None:
        """Note what comes of each."""
        for one in waited:
            try:
                self.notes.append(await one)
            except (KeyError, CancelledError) as error:
                self.notes.append(type(error))

    def work(self, *waited: Deferred[Any]) -> Work:
        """The coroutine, begun."""
        return Work(self.waiting(*waited), self.failures.append)

    def test_results(self) -> None:
        """It goes on when what it waits for fires, and at once where that has happened already."""
        first, last = Deferred[str](), Deferred[str]()
        self.work(first, succeed("now"), last)
        self.assertEqual(self.notes, [])
        first.callback("one")
        self.assertEqual(self.notes, ["one", "now"])
        last.callback("two")
        self.assertEqual(self.notes, ["one", "now", "two"])

    def test_failures(self) -> None:
        """A failure is raised inside, whenever it comes, and is nobody else's any more."""
        failed, failing = Deferred[str](), Deferred[str]()
        failed.errback(KeyError())
        self.work(failed, failing, succeed("on"))
        failing.errback(KeyError())
        self.assertEqual((self.notes, self.failures), ([KeyError, KeyError, "on"], []))

    def test_cancelled(self) -> None:
        """Cancelling cancels what it waits for now; once it has ended nothing happens."""
        cancelled: list[Any] = []
        waited = Deferred[str](cancelled.append)
        work = self.work(waited)
        work.cancel()
        work.cancel()
        self.assertEqual((cancelled, self.notes), ([waited], [CancelledError]))

    def test_let_through(self) -> None:
        """What it does not handle is told, once."""
        waited = Deferred[str]()
        self.work(waited)
        waited.errback(ZeroDivisionError())
        [failure] = self.failures
        self.assertTrue(failure.check(ZeroDivisionError))
