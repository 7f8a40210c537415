"""Driving the one coroutine of a call: what `Deferred.fromCoroutine` does, without what a call does not need of it.

No context is copied, no Deferred is made for a result that nobody waits for: a third of the cost, on a path taken twice
a call. `failed` is told an exception that the coroutine let through.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class Work:
    """A coroutine that awaits Deferreds, begun at once; `cancel` cancels the one it waits for."""

    __slots__ = ("_coroutine", "_failed", "_waiting")

    def __init__(self, coroutine: Coroutine["Deferred[Any]", Any, None], failed: Callable[[Failure], None]) -> None:
        self._coroutine = coroutine
        self._failed = failed
        self._waiting: Deferred[Any] | None = None
        self._go_on(None)

    def _go_on(self, error: BaseException | None) -> None:
        coroutine = self._coroutine
        try:
            waiting = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration:
            return self._over()
        except Exception:
            self._failed(Failure())
            return self._over()
        self._waiting = waiting
        waiting.addBoth(self._fired)

    def _over(self) -> None:
        """Let go of the call, which holds this: without a circle it is gone at once, and leaves no garbage to search for."""
        del self._coroutine, self._failed

    def _fired(self, result: Any) -> None:
        """What was waited for is there: the coroutine takes a result from the Deferred itself, a failure is thrown in."""
        self._waiting = None
        self._go_on(result.value if isinstance(result, Failure) else None)

    def cancel(self) -> None:
        """Cancel what the coroutine waits for; it gets CancelledError there. Nothing happens once it has ended."""
        if self._waiting is not None:
            self._waiting.cancel()
