"""Draining: calls under way finish in their own time, up to a limit; then they are cut, and settled all the same."""

from collections.abc import Collection
from typing import Any, Protocol

from twisted.internet.task import deferLater

_LOOK = 0.02
_FAREWELL = 1.0
"""Seconds that the last words of cut calls have to go out."""


class Drainable(Protocol):
    """A call."""

    def drain(self) -> None:
        """End now, with a well-formed error."""


async def drain(reactor: Any, calls: Collection[Drainable], timeout: float) -> None:
    """Wait until `calls` is empty, for `timeout` seconds; cut what is left then."""
    await _empty(reactor, calls, timeout)
    if calls:
        for call in list(calls):
            call.drain()
        await _empty(reactor, calls, _FAREWELL)
        await deferLater(reactor, _LOOK)


async def _empty(reactor: Any, calls: Collection[Drainable], timeout: float) -> None:
    deadline = reactor.seconds() + timeout
    while calls and reactor.seconds() < deadline:
        await deferLater(reactor, _LOOK)
