"""Surviving a power loss: one sync for all who wait, the next one for those who came meanwhile."""

import os
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from agentgateway.stores.health import Health
from agentgateway.stores.lanes import Lane


class GroupSync:
    """Syncs what `handles` gives: copies of descriptors, closed here."""

    def __init__(self, lane: Lane, handles: Callable[[], list[int]], alert: Callable[[str], None]) -> None:
        self._lane = lane
        self._handles = handles
        self._health = Health("journal: syncing to the disk", alert)
        self._waiting: list[Deferred[None]] = []
        self._running = False

    def settled(self) -> Deferred[None]:
        """Fires when all that was appended so far is on the disk; or could not be brought there, which is alerted."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        if not self._running:
            self._next()
        return waiter

    def _next(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._running = bool(waiting)
        if waiting:
            try:
                synced = self._lane.run(_sync, self._handles())
            except OSError:
                synced = self._lane.run(_fail, Failure())
            synced.addCallbacks(self._works, self._failed)
            synced.addBoth(self._tell, waiting)

    def _works(self, _: None) -> None:
        self._health.works()

    def _failed(self, failure: Failure) -> None:
        self._health.failed(failure.getErrorMessage())

    def _tell(self, _: None, waiting: list[Deferred[None]]) -> None:
        for waiter in waiting:
            waiter.callback(None)
        self._next()


def _fail(failure: Failure) -> None:
    failure.raiseException()


def _sync(handles: list[int]) -> None:
    """Sync and close each; raises the last OSError."""
    failed = None
    for handle in handles:
        try:
            os.fsync(handle)
        except OSError as error:
            failed = error
        finally:
            os.close(handle)
    if failed is not None:
        raise failed
