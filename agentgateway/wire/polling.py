"""A turn of an epoll reactor as a busy gateway needs it: what has come is read in one frame, not in five.

Twisted's `doPoll` asks of each event what kind it is, whether the descriptor still is one, and under which name to log:
a tenth of a proxied call, and more of a chunk of a stream. Nearly all events say that a socket has something to read,
which is done here; every other one goes Twisted's way. And a turn has an end, for what is to leave together.
"""

from collections.abc import Callable
from select import EPOLLIN
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.python import log

_ENDS = "at_turns_end"

AtEnd = Callable[[Callable[[], object]], object]


def at_turns_end(reactor: Any) -> AtEnd:
    """Has a function called once, when all that this turn of `reactor` brings is done; the next one is the latest."""
    found: AtEnd | None = getattr(reactor, _ENDS, None)
    return found or (lambda function: reactor.callLater(0, function))


def install(reactor: Any) -> None:
    """Let `reactor` take its turns this way, if it is of the kind that can."""
    if isinstance(reactor, EPollReactor):
        ends: list[Callable[[], object]] = []
        setattr(reactor, _ENDS, ends.append)
        reactor.doIteration = _turns(reactor, ends)  # type: ignore[method-assign]


def _turns(reactor: Any, ends: list[Callable[[], object]]) -> Callable[[float | None], None]:
    poll, selectables, otherwise = reactor._poller.poll, reactor._selectables, reactor._doReadOrWrite

    def turn(timeout: float | None) -> None:
        if ends:  # of what timers and threads have done
            _end(ends)
            timeout = 0  # who knows what that has scheduled
        events = poll(-1 if timeout is None else timeout, len(selectables))
        for descriptor, event in events:
            selectable = selectables.get(descriptor)
            if selectable is None:  # an event before it has closed it
                continue
            if event != EPOLLIN:
                log.callWithLogger(selectable, otherwise, selectable, descriptor, event)
                continue
            try:
                lost = selectable.doRead()
            except BaseException as error:
                lost = error
                log.callWithLogger(selectable, log.err)
            if lost:
                log.callWithLogger(selectable, reactor._disconnectSelectable, selectable, lost, True)
        if ends:
            _end(ends)

    return turn


def _end(ends: list[Callable[[], object]]) -> None:
    """Call them; one that fails is logged, and what they ask for in turn is done as well."""
    for function in ends:
        try:
            function()
        except BaseException:
            log.err()
    ends.clear()
