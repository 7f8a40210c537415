"""One question for all who want its answer."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.web.management.polled import Polled


class PolledTests(SynchronousTestCase):
    """One question for all who ask it."""

    def test_fails(self) -> None:
        """Where the answer fails, all who wait are told so; it is not kept, and the next one asks again."""
        answers: list[Deferred[list[Any]]] = [Deferred(), succeed(["well"])]

        async def ask() -> list[Any]:
            return await answers.pop(0)

        first, polled = answers[0], Polled(ask, lambda: 1.0)
        waiting = [polled.get(), polled.get()]
        first.errback(ValueError("no"))
        for each in waiting:
            self.failureResultOf(each, ValueError)
        self.assertEqual(self.successResultOf(polled.get()), ["well"])
        self.assertEqual(self.successResultOf(polled.get()), ["well"])

    def test_gives_up(self) -> None:
        """Who gives up first, having asked first, leaves the answer to the others."""
        answer: Deferred[list[Any]] = Deferred()

        async def ask() -> list[Any]:
            return await answer

        polled = Polled(ask, lambda: 1.0)
        first, second = polled.get(), polled.get()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        answer.callback(["well"])
        self.assertEqual(self.successResultOf(second), ["well"])
