"""A worker's process: `python -m agentgateway.workers.worker PLACE`, which only its parent does.

It is the gateway as a single process is it, on sockets that the parent has opened. What it logs goes to standard error,
where the parent reads it and puts time and name to it; standard input ends when the parent does, and so does the worker.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import Any

import msgspec
from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ReactorNotRunning
from twisted.logger import FileLogObserver, formatEventAsClassicLogText, globalLogBeginner

from agentgateway.config.load import load
from agentgateway.errors import GatewayError
from agentgateway.workers.place import Place


class Lifeline(FileDescriptor):
    """Stops the reactor when nothing can come from `descriptor` any more."""

    def __init__(self, descriptor: int, reactor: Any) -> None:
        super().__init__(reactor)
        self._reactor = reactor
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Standard input."""
        return self._descriptor

    def doRead(self) -> Any:
        """Nobody writes to it: this is its end."""
        return None if os.read(self._descriptor, 4096) else main.CONNECTION_DONE

    def connectionLost(self, reason: Any) -> None:
        """Its end, or that of the reactor."""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def run(place: Place) -> None:
    """Serve until a signal, or the parent's end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all its processes; the parent stops this one
    from twisted.internet import reactor

    from agentgateway.service import GatewayService
    from agentgateway.wiring import prepare

    observer = FileLogObserver(
        sys.stderr, lambda event: (formatEventAsClassicLogText(event, lambda _: "") or "").lstrip(" ")
    )
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    prepare(reactor)
    service = GatewayService(place.own(load(place.path, os.environ)), reactor, place)
    service.privilegedStartService()
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    Lifeline(0, reactor).startReading()  # type: ignore[no-untyped-call]
    reactor.run()


if __name__ == "__main__":
    try:
        run(msgspec.json.decode(sys.argv[1], type=Place))
    except GatewayError as error:
        sys.exit(str(error))
