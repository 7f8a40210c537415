"""Disks that are full or read-only, and log paths that somebody else has prepared."""

import errno
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SkipTest, TestCase

from tests.peers import ask, chunk, closed_port, post, request
from tests.reality.processes import GATEWAY, spawn, start_standin, write_config
from tests.trust.gateway import CONFIG, JSON, Gateway, pause

BODY = b'{"model":"priced","max_tokens":40,"messages":[{"role":"user","content":"hello"}]}'
CALL = post(b"/v1/messages", BODY, (b"x-agent-id", b"writer"))
HEAD = request(b"POST", b"/v1/messages", None, JSON, (b"Transfer-Encoding", b"chunked"))
APART = CONFIG.replace("{folder}", "{folder}/disk")
CALLS = 60


class DiskTests(TestCase):
    """A gateway whose state and audit log are on a small disk of their own."""

    timeout = 90

    def disk(self, folder: str, options: str = "size=3m") -> Path:
        """A small disk mounted in `folder`, gone with the test."""
        path = Path(folder, "disk")
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True)
        if done.returncode:
            raise SkipTest(f"this machine lets nobody mount a small disk: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(path)], check=True)
        return path

    async def setting(self) -> Path:
        """A gateway on a disk of its own, answering; the disk."""
        _, provider = await start_standin(self)
        port = closed_port()
        path = write_config(self, port, provider, APART)
        disk = self.disk(os.path.dirname(path))
        self.gateway = Gateway(self, path, port)
        await self.gateway.start()
        return disk

    async def calls(self) -> None:
        """Some calls, each answered in full."""
        for _ in range(CALLS):
            answer = await ask(self, self.gateway.port, CALL)
            self.assertEqual((answer.status, answer.ended), (200, True))

    async def spent(self) -> float:
        """What the agent has spent, as the gateway says it."""
        token = (self.gateway.folder / "disk" / "admin-token").read_bytes().strip()
        answer = await self.gateway.get(b"/api/agents/writer", (b"Authorization", b"Bearer " + token), JSON)
        agent: dict[str, Any] = json.loads(bytes(answer.body))
        return float(agent["total_cost"])

    def test_full(self) -> Any:
        """With the disk full every call goes on; with room again nothing is missing in the books, and no line is torn."""

        async def scenario() -> None:
            disk = await self.setting()
            await self.calls()
            each = await self.spent() / CALLS
            fill(disk / "filler")
            await self.calls()
            await pause(2.2)
            await self.calls()
            self.assertAlmostEqual(await self.spent(), 3 * CALLS * each)
            self.assertIn("No space left on device", self.gateway.said)
            (disk / "filler").unlink()
            await self.calls()
            await pause(2.2)
            self.assertIn("works again", self.gateway.said)
            lines = (disk / "audit.jsonl").read_text().split("\n")
            records = [json.loads(line) for line in lines if line]
            self.assertGreaterEqual(len(records), 2 * CALLS)
            self.assertLess(len(records), 4 * CALLS)
            self.gateway.process.transport.signalProcess("KILL")
            await self.gateway.process.ended
            await self.gateway.start()
            self.assertAlmostEqual(await self.spent(), 4 * CALLS * each)
            await self.gateway.stop()

        return ensureDeferred(scenario())

    def test_killed_when_full(self) -> Any:
        """Killed with the disk full it starts on what the disk took, and says so where it cannot start."""

        async def scenario() -> None:
            disk = await self.setting()
            await self.calls()
            before = await self.spent()
            fill(disk / "filler")
            await self.calls()
            self.gateway.process.transport.signalProcess("KILL")
            await self.gateway.process.ended
            (disk / "filler").unlink()
            await self.gateway.start()
            self.assertGreaterEqual(await self.spent(), before)
            await self.calls()
            await self.gateway.stop()

        return ensureDeferred(scenario())

    def test_read_only(self) -> Any:
        """On a read-only disk it does not start, and says why in one line."""

        async def scenario() -> None:
            path = write_config(self, closed_port(), 1, APART)
            self.disk(os.path.dirname(path), "size=1m,ro")
            await self.fails(path, "Read-only file system")

        return ensureDeferred(scenario())

    def test_temporary(self) -> Any:
        """A temporary folder that is full, read-only or gone: large requests of unknown length pass from memory."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            body = BODY.replace(b"hello", b"x" * 5_000_000)
            raw = HEAD + b"".join(chunk(body[at : at + 60_000]) for at in range(0, len(body), 60_000)) + chunk(b"")
            for options in ("size=2m", "size=1m,ro"):
                disk = self.disk(os.path.dirname(write_config(self, 1)), options)
                command = ("env", f"TMPDIR={disk}", *GATEWAY)
                port = closed_port()
                gateway = Gateway(self, write_config(self, port, provider, CONFIG), port, command)
                await gateway.start()
                for _ in range(2):
                    answer = await ask(self, port, raw)
                    self.assertEqual((answer.status, answer.ended), (200, True), bytes(answer.body))
                await gateway.stop()

        return ensureDeferred(scenario())

    async def fails(self, path: str, *words: str) -> None:
        """It ends with status 1 and a line that says why."""
        process = spawn(self, *GATEWAY, path)
        status = await process.ended
        said = (process.out + process.err).decode()
        self.assertEqual(status, (1, None), said)
        self.assertEqual(len(said.strip().splitlines()), 1, said)
        for word in words:
            self.assertIn(word, said)

    def test_prepared_paths(self) -> Any:
        """A log path that is a symbolic link, a pipe or a folder is refused, and what it points to is left."""

        async def scenario() -> None:
            for kind, word in (("link", "symbolic link"), ("pipe", "no plain file"), ("folder", "folder")):
                path = write_config(self, closed_port(), 1)
                log, victim = Path(path).parent / "audit.jsonl", Path(path).parent / "victim"
                victim.write_text("precious")
                if kind == "link":
                    log.symlink_to(victim)
                elif kind == "pipe":
                    os.mkfifo(log)
                else:
                    log.mkdir()
                await self.fails(path, "audit", word)
                self.assertEqual(victim.read_text(), "precious")

        return ensureDeferred(scenario())

    def test_open_folder(self) -> Any:
        """In a folder where everybody may write the log is made for its owner alone; the token and the state, too."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            port = closed_port()
            self.gateway = Gateway(self, write_config(self, port, provider, CONFIG), port)
            os.chmod(self.gateway.folder, 0o1777)
            await self.gateway.start()
            self.assertEqual((await ask(self, port, CALL)).status, 200)
            for name in ("audit.jsonl", "admin-token", "ledger.sqlite"):
                mode = stat.S_IMODE((self.gateway.folder / name).stat().st_mode)
                self.assertEqual(mode & 0o077, 0, f"{name} {mode:o}")

        return ensureDeferred(scenario())


def fill(path: Path) -> None:
    """Take all the room there is."""
    with open(path, "wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC
