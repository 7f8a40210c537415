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
SHARE: Final = 0.2
"""Of the time a turn has had to wait, the part it may take, where that is more: under load a round gets on, too."""


class Rounds(Service):
    """`work` makes one round, in steps; a round that fails is logged, and the next one is tried."""

    _log = Logger()

    def __init__(self, reactor: Any, work: Callable[[], Iterator[None]]) -> None:
        self._work = work
        self._reactor = reactor
        self._steps = Cooperator(self._turn, self._rest)
        self._resting = 0.0
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

    def _rest(self, turn: Callable[[], None]) -> Any:
        self._resting = self._reactor.seconds()
        return self._reactor.callLater(REST, turn)

    def _turn(self) -> Callable[[], bool]:
        """Tells whether the turn that begins now is over."""
        seconds = self._reactor.seconds
        began = seconds()
        end = began + max(TURN, SHARE * (began - self._resting))
        return lambda: seconds() >= end

    def _over(self, _: Any) -> None:
        self._running = False
        if self._again:
            self.begin()

    def _failed(self, failure: Failure) -> None:
        if not failure.check(SchedulerStopped):
            self._log.failure("a round failed; the next one will be tried", failure)
