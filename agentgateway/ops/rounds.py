"""Rounds over many things, in turns so short that no call notices: the reactor serves calls in between."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator, SchedulerStopped
from twisted.logger import Logger
from twisted.python.failure import Failure

TURN: Final = 0.0003
"""Seconds of work in a turn; a call takes several turns of the reactor, and may meet one of these at each."""
REST: Final = 0.001
"""Seconds from a turn to the next, in which the reactor does what has come."""


class Rounds(Service):
    """`work` makes one round, in steps; a round that fails is logged, and the next one is tried."""

    _log = Logger()

    def __init__(self, reactor: Any, work: Callable[[], Iterator[None]]) -> None:
        self._work = work
        self._steps = Cooperator(lambda: _turn(reactor.seconds), lambda turn: reactor.callLater(REST, turn))
        self._running = self._again = False

    def begin(self, again: bool = False) -> None:
        """Make a round, unless one is being made; then, where `again` is wanted, once more behind it."""
        if self._running:
            self._again |= again
            return
        self._running, self._again = True, False
        self._steps.coiterate(self._work()).addErrback(self._failed).addCallback(self._over)

    def stopService(self) -> "Deferred[None] | None":
        """Leave the round that is being made."""
        self._again = False
        self._steps.stop()
        return super().stopService()  # type: ignore[no-untyped-call,no-any-return]

    def _over(self, _: Any) -> None:
        self._running = False
        if self._again:
            self.begin()

    def _failed(self, failure: Failure) -> None:
        if not failure.check(SchedulerStopped):
            self._log.failure("a round failed; the next one will be tried", failure)


def _turn(seconds: Callable[[], float]) -> Callable[[], bool]:
    """Whether the turn that begins now is over."""
    end = seconds() + TURN
    return lambda: seconds() >= end
