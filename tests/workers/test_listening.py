"""Workers behind every kind of socket, started in every way."""

import shutil
import signal
import socket
import ssl
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.certificates import write_to
from tests.harness import reactor, until
from tests.operate.gateway import message
from tests.operate.test_systemd import Systemd
from tests.peers import ask, closed_port, request
from tests.reality.processes import Process, healthy, start_standin
from tests.workers.gateway import CONFIG, Workers, alive, started

HEALTH = request(b"GET", b"/health", None)


class ListenTests(TestCase):
    """Beside TCP."""

    timeout = 120

    async def test_unix_and_tls(self) -> None:
        """A Unix socket and TLS outlive the workers behind them."""
        folder = mkdtemp(prefix="agw-")
        self.addCleanup(shutil.rmtree, folder)
        certificate, key = write_to(folder)
        path = f"{folder}/calls.sock"
        _, provider = await start_standin(self)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            secure = free.getsockname()[1]
        tls = f"ssl:{secure}:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
        gateway = Workers(self, provider, CONFIG)
        file = Path(gateway.path)
        file.write_text(file.read_text().replace("listen: [", f"listen: ['unix:{path}:mode=600', '{tls}', "))
        await gateway.start()
        context = ssl.create_default_context(cafile=certificate)

        def over_unix() -> bytes:
            with socket.socket(socket.AF_UNIX) as plain:
                plain.connect(path)
                plain.sendall(HEALTH)
                return plain.recv(1000)

        def over_tls() -> bytes:
            plain = socket.create_connection(("127.0.0.1", secure))
            with plain, context.wrap_socket(plain, server_hostname="localhost") as wrapped:
                wrapped.sendall(HEALTH)
                return wrapped.recv(1000)

        for round_ in range(2):
            for way in (over_unix, over_tls, over_unix, over_tls):
                self.assertIn(b"200 OK", await deferToThread(way))
            if round_ == 0:
                await self.renewed(gateway)
        self.assertEqual(Path(path).stat().st_mode & 0o777, 0o600)
        gateway.stop()
        await gateway.ended()
        self.assertFalse(Path(path).exists())

    async def renewed(self, gateway: Workers) -> None:
        """All workers are others now."""
        before = set(gateway.pids.values())
        gateway.send(signal.SIGUSR2)
        await until(lambda: len(gateway.pids) == 2 and not before & set(gateway.pids.values()), 30)
        await until(lambda: all(gateway.socket(number).exists() for number in (0, 1)), 20)

    async def test_systemd(self) -> None:
        """Systemd is told READY once all workers serve, of reloads, and of the end; signs of life are the parent's."""
        systemd = Systemd(self)
        _, provider = await start_standin(self)
        gateway = Workers(self, provider, CONFIG)
        gateway.environ = {"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "100000"}
        await gateway.start()
        await until(lambda: systemd.states == ["READY"])
        await until(lambda: systemd.heard.count("WATCHDOG=1") > 2)
        gateway.send(signal.SIGHUP)
        await until(lambda: systemd.states == ["READY", "RELOADING", "READY"], 20)
        gateway.stop()
        await gateway.ended()
        await until(lambda: systemd.states[-1] == "STOPPING")

    async def test_twistd(self) -> None:
        """`twistd agentgateway` starts the same workers, and ends them."""
        _, provider = await start_standin(self)
        gateway = Workers(self, provider, CONFIG)
        process = Process()
        pid_file, root = str(gateway.folder / "twistd.pid"), str(Path(__file__).resolve().parents[2])
        command = [sys.executable, "-m", "twisted", "agentgateway", "-c", gateway.path]
        if Path(sys.executable).with_name("twistd").exists():
            twistd = str(Path(sys.executable).with_name("twistd"))
            command = [sys.executable, twistd, "-n", "--pidfile", pid_file, "agentgateway", "-c", gateway.path]
        environ = {**__import__("os").environ, "PYTHONPATH": root}
        reactor.spawnProcess(process, command[0], command, env=environ, path=root)
        gateway.process = process
        self.addCleanup(lambda: None if process.over else process.transport.signalProcess("KILL"))
        await healthy(self, process, gateway.port)
        answer = await ask(self, gateway.port, message(b"caller"))
        self.assertEqual(answer.status, 200)
        await until(lambda: all(gateway.socket(number).exists() for number in (0, 1)), 20)
        pids = list(gateway.pids.values())
        self.assertEqual(len(pids), 2)
        process.stop()
        await process.ended
        self.assertEqual([pid for pid in pids if alive(pid)], [])
        self.assertIn(b"[worker 1]", process.out + process.err)


class RefusedTests(TestCase):
    """At the start."""

    timeout = 60

    async def test_second(self) -> None:
        """A second gateway on the same folder, or on the same port, says why it cannot start, and the first one goes on."""
        gateway = await started(self)
        path, port = Path(gateway.path), closed_port()
        text = path.read_text()
        path.write_text(text.replace(f"tcp:{gateway.port}:", f"tcp:{port}:"))
        said = await gateway.run("start", status=1)
        self.assertEqual((said.count("\n"), "is held by another gateway" in said), (1, True), said)
        path.write_text(text.replace(f"state_dir: {gateway.folder},", f"state_dir: {gateway.folder}/second,"))
        said = await gateway.run("start", status=1)
        self.assertEqual((said.count("\n"), "cannot listen" in said), (1, True), said)
        path.write_text(text)
        self.assertEqual((await ask(self, gateway.port, HEALTH)).status, 200)
        gateway.stop()
        await gateway.ended()

    async def test_own_store(self) -> None:
        """Workers without what they could share are refused with the reason."""
        _, provider = await start_standin(self)
        gateway = Workers(self, provider, CONFIG)
        file = Path(gateway.path)
        lines: list[Any] = [line for line in file.read_text().splitlines() if not line.startswith("store:")]
        file.write_text("\n".join(lines))
        said = await gateway.run("start", status=1)
        self.assertIn("workers: expected 1, or a mapping of live and history under store, got 2", said)
