"""Signals: SIGHUP reads the configuration again, SIGUSR1 opens the audit log anew. SIGTERM and SIGINT are the reactor's."""

import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service


class Signals(Service):
    """Runs `actions` in the reactor when their signals come; only in a process's main thread, as Python wants it."""

    def __init__(self, reactor: Any, actions: Mapping[int, Callable[[], object]]) -> None:
        self._reactor = reactor
        self._actions = actions
        self._before: dict[int, Any] = {}

    def startService(self) -> None:
        """Take the signals over."""
        super().startService()  # type: ignore[no-untyped-call]
        if threading.current_thread() is threading.main_thread():
            for number, action in self._actions.items():
                self._before[number] = signal.signal(number, self._handler(action))

    def _handler(self, action: Callable[[], object]) -> Callable[[int, Any], None]:
        return lambda _number, _frame: self._reactor.callFromThread(action)

    def stopService(self) -> None:
        """Give them back."""
        super().stopService()  # type: ignore[no-untyped-call]
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)
