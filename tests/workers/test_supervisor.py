"""The parent of workers, with processes that only remember."""

import os
import shutil
import signal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.load import parse
from agentgateway.interfaces import StoreError
from agentgateway.ops.listening import ListenError
from agentgateway.stores.files import lock
from agentgateway.workers.child import MARGIN, STEADY
from agentgateway.workers.supervisor import Supervisor, SupervisorError
from tests.workers.test_child import Nursery, Spawned

CONFIG = """
gateway: {{listen: ['tcp:1'], state_dir: {folder}, drain_timeout: 3}}
dashboard: false
store: {{live: 'redis://h', history: 'postgresql://h/d'}}
workers: 2
"""


class Reactor(MemoryReactorClock, Nursery):  # type: ignore[misc]
    """Neither sockets nor processes."""

    def __init__(self) -> None:
        MemoryReactorClock.__init__(self)
        self.spawned: list[Spawned] = []

    def callFromThread(self, work: Any, *arguments: Any) -> None:
        """A moment later."""
        self.callLater(0, work, *arguments)


class Port:
    """A port of Twisted's, in memory."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.reads, self.open = True, True

    def fileno(self) -> int:
        """Any."""
        return self.number

    def stopReading(self) -> None:
        """Nobody is let in."""
        self.reads = False

    def stopListening(self) -> None:
        """It is closed."""
        self.open = False


class SupervisorTests(SynchronousTestCase):
    """Two workers, in a folder of their own."""

    def setUp(self) -> None:
        """The file is there."""
        self.folder = mkdtemp(prefix="agw-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = str(Path(self.folder) / "gateway.yaml")
        self.write(CONFIG)
        self.reactor = Reactor()
        self.ports: list[Port] = []
        self.patch(self.reactor, "listenTCP", self.listen)
        self.notes: list[str] = []

    def write(self, text: str) -> None:
        """What the file says."""
        Path(self.path).write_text(text.format(folder=self.folder))

    def listen(self, port: int, *_: Any, **__: Any) -> Port:
        """Port 9 is busy."""
        if port == 9:
            raise OSError("busy")
        self.ports.append(Port(port + 100))
        return self.ports[-1]

    def start(self) -> Supervisor:
        """It runs, and so do its workers."""
        service = Supervisor(parse(Path(self.path).read_text(), self.path, os.environ), self.reactor)
        service.systemd.ready = lambda: self.notes.append("ready")  # type: ignore[method-assign]
        service.systemd.stopping = lambda: self.notes.append("stopping")  # type: ignore[method-assign]
        service.privilegedStartService()
        self.assertEqual(self.reactor.spawned, [])
        service.startService()
        self.addCleanup(self.finish, service)
        return service

    def finish(self, service: Supervisor) -> None:
        """It ends, with all workers."""
        ending = service.stopService()
        for spawned in self.reactor.spawned:
            if not spawned.over:
                spawned.end()
        self.successResultOf(ending)

    def ready(self, spawned: Spawned) -> Spawned:
        """It serves."""
        spawned.say("READY=1")
        return spawned

    def test_start(self) -> None:
        """Sockets are open before any worker runs, nobody is let in by the parent; it is ready when all workers are."""
        self.start()
        [port] = self.ports
        self.assertFalse(port.reads)
        self.assertEqual([spawned.descriptors[4] for spawned in self.reactor.spawned], [101, 101])
        self.ready(self.reactor.spawned[0])
        self.assertEqual(self.notes, [])
        self.ready(self.reactor.spawned[1])
        self.assertEqual(self.notes, ["ready"])

    def test_alone(self) -> None:
        """A second parent on the same folder opens no socket and says who is there; one that comes later may."""
        service = self.start()
        second = Supervisor(parse(Path(self.path).read_text(), self.path, os.environ), self.reactor)
        for start in (second.open, second.privilegedStartService):
            self.assertIn("is held by another gateway", str(self.assertRaises(StoreError, start)))
        self.assertEqual(len(self.ports), 1)
        self.finish(service)
        os.close(lock(f"{self.folder}/lock"))

    def test_stop(self) -> None:
        """Its sockets are closed first, then all workers are told to stop; it ends with the last of them."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        ending = service.stopService()
        self.assertFalse(self.ports[0].open)
        self.assertEqual((one.signals, two.signals, self.notes[-1]), (["TERM"], ["TERM"], "stopping"))
        one.end()
        self.assertNoResult(ending)
        two.end()
        self.successResultOf(ending)

    def test_patience(self) -> None:
        """Open calls have as long as the file says by then, which workers may have read by themselves."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        self.write(CONFIG.replace("drain_timeout: 3", "drain_timeout: 60"))
        service.stopService()
        for _ in range(6):
            self.reactor.advance(10)
            one.say("WATCHDOG=1")
            two.say("WATCHDOG=1")
        self.assertEqual((one.signals, two.signals), (["TERM"], ["TERM"]))
        self.reactor.advance(MARGIN)
        self.assertEqual((one.signals, two.signals), (["TERM", "KILL"], ["TERM", "KILL"]))

    def test_roll(self) -> None:
        """One is replaced after the other: the second is told to stop once the first one serves again."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        done = service.renew()
        self.assertEqual((one.signals, two.signals), (["TERM"], []))
        one.end()
        self.assertEqual(two.signals, [])
        self.ready(self.reactor.spawned[2])
        self.assertEqual(two.signals, ["TERM"])
        two.end()
        self.ready(self.reactor.spawned[3])
        self.successResultOf(done)

    def test_does_not_come_back(self) -> None:
        """Where the new process ends at once, the other worker is left alone; the next try is not far."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        self.reactor.advance(STEADY)
        done = service.renew()
        one.end()
        self.reactor.spawned[2].end(1)
        self.successResultOf(done)
        self.assertEqual(two.signals, [])
        self.reactor.advance(0.25)
        self.assertEqual(len(self.reactor.spawned), 4)

    def test_reload(self) -> None:
        """What can be taken over in place is told to one after the other."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        self.write(CONFIG + "agents: {{writer: {{}}}}\n")
        done = service.reload()
        self.assertEqual((one.signals, two.signals), (["HUP"], []))
        self.ready(one)
        self.assertEqual(two.signals, ["HUP"])
        self.ready(two)
        self.successResultOf(done)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_reload_in_turn(self) -> None:
        """What comes while another is under way waits for its turn, and is given up when the gateway stops."""
        service = self.start()
        one, _ = map(self.ready, self.reactor.spawned)
        first, second = service.reload(), service.renew()
        self.assertEqual(one.signals, ["HUP"])
        self.assertNoResult(second)
        ending = service.stopService()
        for spawned in self.reactor.spawned:
            spawned.end()
        for each in (first, second, ending):
            self.successResultOf(each)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_fewer_workers(self) -> None:
        """With fewer workers and another port the new socket is open first, workers are replaced, the old one is closed."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        self.write(CONFIG.replace("workers: 2", "workers: 1").replace("tcp:1", "tcp:2"))
        done = service.reload()
        self.assertEqual([(port.number, port.open) for port in self.ports], [(101, True), (102, True)])
        one.end()
        self.ready(self.reactor.spawned[2])
        self.assertEqual(self.reactor.spawned[2].descriptors[4], 102)
        self.assertEqual(two.signals, ["TERM"])
        two.end()
        self.successResultOf(done)
        self.assertEqual([port.open for port in self.ports], [False, True])
        self.assertEqual(len(service.workers), 1)

    def test_fewer_workers_all_the_same(self) -> None:
        """Where the new process of one does not come back, those too many are stopped; the next replacement ends the rest."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        self.write(CONFIG.replace("workers: 2", "workers: 1").replace("tcp:1", "tcp:2"))
        done = service.reload()
        one.end()
        self.reactor.spawned[2].end(1)
        self.assertEqual(two.signals, ["TERM"])
        two.end()
        self.successResultOf(done)
        self.assertEqual([worker.number for worker in service.workers], [0])
        self.reactor.advance(1)
        back = self.ready(self.reactor.spawned[3])
        renewed = service.renew()
        back.end()
        self.ready(self.reactor.spawned[4])
        self.successResultOf(renewed)
        self.assertEqual([port.open for port in self.ports], [False, True])

    def test_stop_before_fewer_workers(self) -> None:
        """A stop while workers are replaced stops those too that were about to leave."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        self.write(CONFIG.replace("workers: 2", "workers: 1"))
        done = service.reload()
        ending = service.stopService()
        self.assertEqual(two.signals, ["TERM"])
        one.end()
        self.assertNoResult(ending)
        two.end()
        self.successResultOf(ending)
        self.successResultOf(done)

    def test_stop_before_more_workers(self) -> None:
        """A stop while workers are replaced starts none of those that were to come."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        self.write(CONFIG.replace("workers: 2", "workers: 3"))
        done = service.reload()
        ending = service.stopService()
        one.end()
        two.end()
        self.successResultOf(ending)
        self.successResultOf(done)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_cannot(self) -> None:
        """A port that is taken, another folder, or a broken file changes nothing."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        for text in (CONFIG.replace("tcp:1", "tcp:9"), CONFIG.replace("{folder}", "elsewhere"), "workers: many"):
            self.write(text)
            self.successResultOf(service.reload())
        self.successResultOf(service.renew())
        self.assertEqual((one.signals, two.signals, len(self.reactor.spawned)), ([], [], 2))
        self.assertFalse(os.path.exists("elsewhere"))

    def test_refused(self) -> None:
        """It does not start where no socket would fit, or an endpoint cannot be had."""
        long = CONFIG.format(folder="x" * 100)
        error = self.assertRaises(SupervisorError, Supervisor, parse(long, "f", {}), self.reactor)
        self.assertIn("gateway.state_dir: too long a path", str(error))
        wrong = CONFIG.replace("tcp:1", "systemd:domain=INET:index=0").format(folder=self.folder)
        self.assertRaises(ListenError, Supervisor, parse(wrong, "f", {}), self.reactor)

    def test_signals(self) -> None:
        """SIGUSR1 opens all logs anew; a worker that hangs is found by the same second's look."""
        service = self.start()
        one, two = map(self.ready, self.reactor.spawned)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.reactor.advance(0)
        self.assertEqual((one.signals, two.signals), (["USR1"], ["USR1"]))
        self.reactor.pump([1.0] * 31)
        self.assertEqual((one.signals, two.signals), (["USR1", "KILL"], ["USR1", "KILL"]))
        self.assertTrue(service.running)
