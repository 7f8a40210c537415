"""Draining: calls under way finish in their own time, up to a limit; then they are cut, and settled all the same.

A caller that has just connected, or whose kept connection is idle, may have a call on its way while nobody listens any
more: for a moment such calls are served still, each the last one of its connection.
"""

import signal
from collections.abc import Collection
from typing import Any, Final, Protocol

from twisted.internet.task import deferLater
from twisted.logger import Logger

from agentgateway.ops.signals import Signals

_log = Logger("agentgateway")
_WAITING: Final = "stopping: up to {timeout:g} s for the calls under way ({calls}); a second signal cuts them at once"
_LOOK = 0.02
_FAREWELL = 1.0
"""Seconds that the last words of cut calls have to go out."""


_MOMENT = 0.25
"""Seconds that connections have to bring a last call, and to take their last answer."""


class Drainable(Protocol):
    """A call."""

    def drain(self) -> None:
        """End now, with a well-formed error."""


async def gone(reactor: Any, connections: Collection[object]) -> None:
    """Wait until no connection is left, for a moment at most."""
    await _empty(reactor, connections, _MOMENT)


class SecondSignal(Signals):
    """Notes that the signal to stop came once more: nobody wants to wait."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, dict.fromkeys((signal.SIGTERM, signal.SIGINT), self._come))
        self.came = False

    def _come(self) -> None:
        self.came = True


async def drain(reactor: Any, calls: Collection[Drainable], timeout: float, again: SecondSignal) -> None:
    """Wait until `calls` is empty, for `timeout` seconds or until the signal comes `again`; cut what is left then."""
    if calls:
        _log.info(_WAITING, calls=len(calls), timeout=timeout)
    await _empty(reactor, calls, timeout, again)
    if calls:
        for call in list(calls):
            call.drain()
        await _empty(reactor, calls, _FAREWELL)
        await deferLater(reactor, _LOOK)


async def _empty(reactor: Any, calls: Collection[object], timeout: float, again: SecondSignal | None = None) -> None:
    deadline = reactor.seconds() + timeout
    while calls and reactor.seconds() < deadline and not (again is not None and again.came):
        await deferLater(reactor, _LOOK)
