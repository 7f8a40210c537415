"""One worker as its parent sees it: a process, and another one whenever that ends without being asked to.

A worker speaks through pipes: what it logs, and a line each time it says how it stands. Its standard input is a pipe that
nobody writes to; it ends with the parent, however that ends.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger

from agentgateway.workers.place import Place

PIPE: Final = 3
SHORTEST, LONGEST = 0.25, 30.0
"""Seconds before a worker that has ended is started again: twice as many each time, from the first on to the second."""
STEADY: Final = 10.0
"""Seconds that a worker serves before its earlier ends are forgotten."""
SILENT: Final = 30.0
"""Seconds without a sign of life after which a worker that serves is killed: its reactor does not turn."""
SLOWEST: Final = 300.0
"""The same before it serves: it reads its books, and what its log has of a crash."""
MARGIN: Final = 10.0
"""Seconds that it may take to stop, above those it has for open calls."""
MAX_LINE: Final = 65_536

Descriptors = Callable[[], Mapping[str, int]]
"""The sockets to hand over, by endpoint string."""


class Process(ProcessProtocol):
    """A worker's process: lines of its log go to `log`, what it says of itself to `heard`, its end to `ended`."""

    transport: Any

    def __init__(
        self, log: Callable[[str], object], heard: Callable[[str], object], ended: Callable[[str], object]
    ) -> None:
        self._lines = {1: log, 2: log, PIPE: heard}
        self._begun = dict.fromkeys(self._lines, b"")
        self._ended = ended

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """A piece of what it says."""
        *lines, rest = (self._begun[childFD] + data).split(b"\n")
        if len(rest) > MAX_LINE:
            lines, rest = [*lines, rest], b""
        self._begun[childFD] = rest
        for line in lines:
            self._lines[childFD](line.decode("utf-8", "replace"))

    def processEnded(self, reason: Any) -> None:
        """It is gone, and has said all it had to say."""
        status = reason.value
        self._ended(f"exit status {status.exitCode}" if status.signal is None else name_of(status.signal))

    def send(self, number: signal.Signals) -> None:
        """A signal, if it still is there."""
        try:
            self.transport.signalProcess(int(number))
        except ProcessExitedAlready:
            return


class Worker:
    """Worker `number`: started by `start`, started again when it ends, until `stop`."""

    _log = Logger("agentgateway")

    def __init__(self, number: int, path: str, state_dir: str, descriptors: Descriptors, reactor: Any) -> None:
        self.number = number
        self._path, self._state_dir = path, state_dir
        self._descriptors = descriptors
        self._reactor = reactor
        self._process: Process | None = None
        self._serving = False
        self._wanted = False
        self._failures = 0
        self._began = self._heard = 0.0
        self._again: Any = None
        self._waiting: list[Deferred[bool]] = []
        self._stopping: list[Deferred[None]] = []

    @property
    def pid(self) -> int | None:
        """Of its process, while there is one."""
        return None if self._process is None else int(self._process.transport.pid)

    def start(self) -> "Deferred[bool]":
        """Fires with True once it serves, with False where its process has ended before that (and is tried again)."""
        self._wanted = True
        ready = self._when_ready()
        if self._process is None and self._again is None:
            self._spawn()
        return ready

    def _when_ready(self) -> "Deferred[bool]":
        ready: Deferred[bool] = Deferred()
        self._waiting.append(ready)
        return ready

    def _spawn(self) -> None:
        self._again = None
        self._began = self._heard = self._reactor.seconds()
        sockets = self._descriptors()
        handed = {endpoint: PIPE + 1 + index for index, endpoint in enumerate(sockets)}
        place = Place(self.number, self._path, self._state_dir, handed, PIPE)
        command = [sys.executable, "-m", "agentgateway.workers.worker", msgspec.json.encode(place).decode()]
        descriptors: dict[int, int | str] = {0: "w", 1: "r", 2: "r", PIPE: "r"}
        descriptors |= {handed[endpoint]: descriptor for endpoint, descriptor in sockets.items()}
        self._process = Process(self._say, self._hear, self._over)
        try:
            self._reactor.spawnProcess(self._process, sys.executable, command, env=environment(), childFDs=descriptors)
        except OSError as error:  # no process, no memory or no descriptor is to be had now: fork(2), pipe(2)
            self._over(f"it could not begin: {error}")

    def _say(self, line: str) -> None:
        self._log.info("{line}", line=line, log_system=f"worker {self.number}")

    # what it says of itself

    def _hear(self, word: str) -> None:
        self._heard = self._reactor.seconds()
        if word == "READY=1":
            self._serving = True
            self._tell_waiting(True)

    def _tell_waiting(self, serves: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(serves)

    def watch(self) -> None:
        """Once a second: forgive a steady worker its past, kill a silent one."""
        if self._process is None:
            return
        now = self._reactor.seconds()
        if self._serving and now - self._began >= STEADY:
            self._failures = 0
        if now - self._heard >= (SILENT if self._serving else SLOWEST):
            self._log.error("worker {number} gives no sign of life and is killed", number=self.number)
            self._process.send(signal.SIGKILL)
            self._heard = now

    # its end

    def _over(self, how: str) -> None:
        self._process, self._serving = None, False
        if self._wanted:
            pause = min(LONGEST, SHORTEST * 2.0 ** min(self._failures, 20))
            self._failures += 1
            self._again = self._reactor.callLater(pause, self._spawn)
            text = "worker {number} has ended ({how}) and is started again in {pause} s"
            self._log.error(text, number=self.number, how=how, pause=pause)
        self._tell_waiting(False)
        stopping, self._stopping = self._stopping, []
        for each in stopping:
            each.callback(None)

    def stop(self, patience: float) -> "Deferred[None]":
        """Let it end its open calls, for `patience` seconds and a margin; fires when it is gone."""
        self._wanted = False
        stopped: Deferred[None] = Deferred()
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._process is None:
            stopped.callback(None)
            return stopped
        self._process.send(signal.SIGTERM)
        killing = self._reactor.callLater(patience + MARGIN, self._process.send, signal.SIGKILL)
        self._stopping.append(stopped)
        return stopped.addCallback(lambda _: killing.cancel() if killing.active() else None)

    # what it is told

    def reload(self) -> "Deferred[bool]":
        """Let it read the file again; fires with True when it has, False where it ended, or is about to read it anyway."""
        if self._process is None or not self._serving:
            done: Deferred[bool] = Deferred()
            done.callback(False)
            return done
        self._process.send(signal.SIGHUP)
        return self._when_ready()

    def reopen(self) -> None:
        """Let it open its log anew."""
        if self._process is not None and self._serving:
            self._process.send(signal.SIGUSR1)


def name_of(number: int) -> str:
    """A signal's name; those between SIGRTMIN and SIGRTMAX have none (signal(7))."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def environment() -> dict[str, str]:
    """The parent's, without what is meant for the parent alone."""
    private = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
    return {name: value for name, value in os.environ.items() if name not in private}
