"""What a turn of the reactor writes leaves together, at its end.

A write to a socket wakes the process at its other end: done in the middle of a turn, again and again, that is a quarter
of a proxied call. And what has to be written down before a byte leaves is written once a turn: `before`.
"""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from agentgateway.wire.polling import at_turns_end

MOST: Final = 16
"""Writes that wait at most: those at the other end are to work meanwhile, not to be idle until a long turn is over."""

Send = Callable[[bytes], object]


class Outbox:
    """The writes of a turn, in order. `before` runs in front of them, and at the end of every turn that asked for it."""

    def __init__(self, reactor: IReactorTime, before: Callable[[], None] = lambda: None) -> None:
        self.before = before
        self._at_end = at_turns_end(reactor)
        self._queue: list[tuple[Send, bytes]] = []
        self._due = False

    def put(self, send: Send, data: bytes) -> None:
        """Have `send` called with `data`."""
        self._queue.append((send, data))
        if len(self._queue) >= MOST:
            return self.flush()
        if not self._due:
            self._due = True
            self._at_end(self._end)

    def ask(self) -> None:
        """This turn's end wants `before`, even if nothing is sent."""
        if not self._due:
            self._due = True
            self._at_end(self._end)

    def _end(self) -> None:
        self._due = False
        self.flush()

    def flush(self) -> None:
        """Send all now: what comes next closes a connection."""
        self.before()
        while self._queue:
            queue, self._queue = self._queue, []
            for send, data in queue:
                send(data)
            if self._queue:  # what sending brought about
                self.before()


class Direct(Outbox):
    """Holds nothing back: for one connection by itself, without books."""

    def __init__(self) -> None:
        self.before = lambda: None
        self._queue = []

    def put(self, send: Send, data: bytes) -> None:
        """Call it."""
        send(data)


DIRECT = Direct()
