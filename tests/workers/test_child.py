"""A worker as its parent sees it: by a clock that stands until it is moved, and processes that only remember."""

import errno
import signal
from typing import Any

import msgspec
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.workers.child import (
    LONGEST,
    MARGIN,
    MAX_LINE,
    PIPE,
    SILENT,
    SLOWEST,
    STEADY,
    Process,
    Worker,
    environment,
    name_of,
)
from agentgateway.workers.place import Place


class Status(Exception):
    """How a process ended."""

    def __init__(self, exitCode: int | None, signal: int | None) -> None:
        self.exitCode, self.signal = exitCode, signal


class Spawned:
    """A process that does as it is told: `signals` are those it was sent."""

    def __init__(self, protocol: Process, command: list[str], descriptors: dict[int, Any]) -> None:
        self.protocol, self.command, self.descriptors = protocol, command, descriptors
        self.pid = 1
        self.signals: list[str] = []
        self.over = False
        protocol.transport = self

    def signalProcess(self, number: int) -> None:
        """One more."""
        if self.over:
            raise ProcessExitedAlready
        self.signals.append(signal.Signals(number).name.removeprefix("SIG"))

    def say(self, words: str, descriptor: int = PIPE) -> None:
        """Something, a line."""
        self.protocol.childDataReceived(descriptor, words.encode() + b"\n")

    def end(self, code: int | None = 0, number: int | None = None) -> None:
        """Its end."""
        self.over = True
        self.protocol.processEnded(Failure(Status(code, number)))


class Nursery(Clock):
    """A reactor that spawns such processes."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[Spawned] = []

    exhausted = False
    """No process can be had."""

    def spawnProcess(self, protocol: Any, executable: str, args: Any, env: Any, childFDs: Any) -> Spawned:
        """One more."""
        if self.exhausted:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        self.spawned.append(Spawned(protocol, args, childFDs))
        return self.spawned[-1]

    @property
    def latest(self) -> Spawned:
        """The last one."""
        return self.spawned[-1]


class WorkerTests(SynchronousTestCase):
    """Worker 3."""

    def setUp(self) -> None:
        """It is to be started."""
        self.reactor = Nursery()
        self.worker = Worker(3, "gateway.yaml", "state", lambda: {"tcp:1": 17, "unix:s": 18}, self.reactor)

    def serving(self) -> Spawned:
        """It has been, and serves."""
        started = self.worker.start()
        self.reactor.latest.say("READY=1")
        self.assertTrue(self.successResultOf(started))
        return self.reactor.latest

    def test_start(self) -> None:
        """It is given its number, the sockets and a pipe, and serves once it says so."""
        started = self.worker.start()
        spawned = self.reactor.latest
        place = msgspec.json.decode(spawned.command[-1], type=Place)
        self.assertEqual((place.number, place.path, place.state_dir), (3, "gateway.yaml", "state"))
        handed = {endpoint: spawned.descriptors[descriptor] for endpoint, descriptor in place.handed.items()}
        self.assertEqual((handed, spawned.descriptors[place.pipe]), ({"tcp:1": 17, "unix:s": 18}, "r"))
        spawned.say("WATCHDOG=1")
        self.assertNoResult(started)
        spawned.say("READY=1")
        self.assertTrue(self.successResultOf(started))
        self.assertEqual(self.worker.pid, 1)

    def test_ends(self) -> None:
        """One that ends is started again, later each time until it has served for a while."""
        self.serving().end(1)
        self.assertIsNone(self.worker.pid)
        for pause in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
            count = len(self.reactor.spawned)
            self.reactor.advance(pause - 0.01)
            self.assertEqual(len(self.reactor.spawned), count)
            self.reactor.advance(0.01)
            self.assertEqual(len(self.reactor.spawned), count + 1)
            self.reactor.latest.end(None, signal.SIGSEGV)
        self.reactor.advance(LONGEST)
        self.reactor.latest.say("READY=1")
        self.reactor.advance(STEADY)
        self.worker.watch()
        self.reactor.latest.end(0)
        self.reactor.advance(0.25)
        self.assertFalse(self.reactor.latest.over)

    def test_never_serves(self) -> None:
        """Who waits for one that ends first is told so."""
        started = self.worker.start()
        self.reactor.latest.end(1)
        self.assertFalse(self.successResultOf(started))
        again = self.worker.start()
        self.reactor.advance(0.25)
        self.assertEqual(len(self.reactor.spawned), 2)
        self.reactor.latest.say("READY=1")
        self.assertTrue(self.successResultOf(again))

    def test_no_process_to_be_had(self) -> None:
        """Where the system has no process to give, who waits is told, and it is tried again, later each time."""
        self.serving().end(None, signal.SIGKILL)
        self.reactor.exhausted = True
        self.reactor.advance(0.25)
        self.assertIsNone(self.worker.pid)
        self.worker.watch()
        again = self.worker.start()
        self.reactor.advance(0.5)
        self.assertFalse(self.successResultOf(again))
        self.reactor.exhausted = False
        self.reactor.advance(0.99)
        self.assertEqual(len(self.reactor.spawned), 1)
        self.reactor.advance(0.01)
        self.assertEqual(len(self.reactor.spawned), 2)
        self.reactor.latest.say("READY=1")
        self.assertEqual(self.worker.pid, 1)

    def test_no_process_at_first(self) -> None:
        """The same from the first on: who starts it learns so at once, and it can be stopped."""
        self.reactor.exhausted = True
        self.assertFalse(self.successResultOf(self.worker.start()))
        self.successResultOf(self.worker.stop(1.0))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ends_by_nameless_signal(self) -> None:
        """A real-time signal that has no name ends it like any other: it is started again."""
        self.serving().end(None, signal.SIGRTMIN + 1)
        self.reactor.advance(0.25)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_stop(self) -> None:
        """It is asked to stop, given the time its calls may take and a margin, then killed; it does not come back."""
        spawned = self.serving()
        stopped = self.worker.stop(30.0)
        self.assertEqual(spawned.signals, ["TERM"])
        self.reactor.advance(30.0 + MARGIN)
        self.assertEqual(spawned.signals, ["TERM", "KILL"])
        self.assertNoResult(stopped)
        spawned.end(None, signal.SIGKILL)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.successResultOf(self.worker.stop(1.0))

    def test_stop_between(self) -> None:
        """One that waits to be started again is not."""
        self.serving().end(1)
        self.successResultOf(self.worker.stop(30.0))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_silent(self) -> None:
        """One that serves and gives no sign of life any more is killed; one that does is left alone."""
        spawned = self.serving()
        self.reactor.advance(SILENT - 1)
        spawned.say("WATCHDOG=1")
        self.reactor.advance(2)
        self.worker.watch()
        self.assertEqual(spawned.signals, [])
        self.reactor.advance(SILENT)
        self.worker.watch()
        self.worker.watch()
        self.assertEqual(spawned.signals, ["KILL"])

    def test_never_speaks(self) -> None:
        """One that does not come to serve in minutes is killed, too, so that nobody waits for it for ever."""
        started = self.worker.start()
        self.reactor.advance(SLOWEST - 1)
        self.worker.watch()
        self.assertEqual(self.reactor.latest.signals, [])
        self.reactor.advance(1)
        self.worker.watch()
        self.assertEqual(self.reactor.latest.signals, ["KILL"])
        self.reactor.latest.end(None, signal.SIGKILL)
        self.assertFalse(self.successResultOf(started))

    def test_told(self) -> None:
        """A reload is over when it says so; one that does not serve yet is told nothing, as it reads the file anyway."""
        self.assertFalse(self.successResultOf(self.worker.reload()))
        self.worker.reopen()
        spawned = self.serving()
        reloaded = self.worker.reload()
        spawned.say("RELOADING=1\nMONOTONIC_USEC=1")
        self.assertNoResult(reloaded)
        spawned.say("READY=1")
        self.assertTrue(self.successResultOf(reloaded))
        self.worker.reopen()
        self.assertEqual(spawned.signals, ["HUP", "USR1"])

    def test_gone_meanwhile(self) -> None:
        """A signal to a process that has just ended goes nowhere."""
        spawned = self.serving()
        spawned.over = True
        self.worker.reopen()
        self.assertEqual(spawned.signals, [])


class ProcessTests(SynchronousTestCase):
    """What it says."""

    def test_lines(self) -> None:
        """Lines come whole, whatever pieces they arrive in; one without end is cut; what is no text is shown all the same."""
        said: list[str] = []
        process = Process(said.append, lambda word: None, lambda how: None)
        for piece in (b"on", b"e\ntwo\n", b"\xff\n"):
            process.childDataReceived(2, piece)
        self.assertEqual(said, ["one", "two", "\ufffd"])
        process.childDataReceived(1, b"x" * (MAX_LINE + 1))
        self.assertEqual(said[3:], ["x" * (MAX_LINE + 1)])

    def test_name_of(self) -> None:
        """People are told a signal's name, or its number where it has none."""
        self.assertEqual([name_of(number) for number in (9, 35, 63)], ["SIGKILL", "signal 35", "signal 63"])

    def test_environment(self) -> None:
        """What systemd tells the parent is the parent's alone."""
        self.patch(
            __import__("os"),
            "environ",
            {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1", "LISTEN_FDS": "1", "PATH": "/bin"},
        )
        self.assertEqual(environment(), {"PATH": "/bin"})
