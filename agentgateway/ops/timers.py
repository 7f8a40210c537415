"""Timers that go on: a TimerService stops at the first exception, these log it."""

from collections.abc import Callable
from typing import Any

from twisted.application.internet import TimerService
from twisted.logger import Logger

_log = Logger("agentgateway")


def timer(clock: Any, seconds: float, work: Callable[[], object]) -> TimerService:
    """A service that does `work` at once and then every so many seconds of `clock`, whatever it raises."""
    service = TimerService(seconds, guarded(work))
    service.clock = clock
    return service


def guarded(work: Callable[[], object]) -> Callable[[], None]:
    """`work` without its exceptions."""

    def once() -> None:
        try:
            work()
        except Exception:
            _log.failure("a timer failed and goes on")

    return once
