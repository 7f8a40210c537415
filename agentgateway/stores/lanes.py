"""Where blocking work runs: one thread a lane, so that what waits for a disk delays only its own kind."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Lane(Protocol):
    """Runs work in order, one piece at a time."""

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Fires with what `work` gives, or fails with what it raises."""

    def stop(self) -> None:
        """Wait for what runs, and end."""


class ThreadLane:
    """A lane with a thread of its own, begun at its first work."""

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, 1, name)

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Run in the thread; the Deferred fires in the reactor's."""
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, work, *args)

    def stop(self) -> None:
        """Join the thread."""
        if self._pool.started:
            self._pool.stop()


class InlineLane:
    """A lane without a thread: work is done when `run` returns. For programs that may block, and for tests."""

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """Run at once."""
        return maybeDeferred(work, *args)

    def stop(self) -> None:
        """Nothing to end."""
