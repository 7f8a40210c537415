"""Disks that are full or read-only: of the log, of the books, and of large requests."""

import errno
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SkipTest, TestCase

from tests.harness import until
from tests.peers import ask, chunk, closed_port, post, request
from tests.reality.processes import GATEWAY, start_standin, write_config
from tests.trust.gateway import CONFIG, JSON, Gateway, fails, pause

BODY = b'{"model":"priced","max_tokens":40,"messages":[{"role":"user","content":"hello"}]}'
CALL = post(b"/v1/messages", BODY, (b"x-agent-id", b"writer"))
HEAD = request(b"POST", b"/v1/messages", None, JSON, (b"Transfer-Encoding", b"chunked"))
APART = CONFIG.replace("{folder}", "{folder}/disk")
LOG_APART = CONFIG.replace("{folder}/audit", "{folder}/disk/audit")
BOOKS_APART = CONFIG.replace("{folder}/ledger", "{folder}/disk/ledger")
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

    async def setting(self, config: str = APART) -> Path:
        """A gateway with some of its files on a disk of their own, answering; the disk."""
        _, provider = await start_standin(self)
        port = closed_port()
        path = write_config(self, port, provider, config)
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
        return float((await self.gateway.agent("writer"))["total_cost"])

    async def missing(self) -> float:
        """How many records the log lacks, as the gateway says it."""
        return await self.gateway.number("audit_records_missing")

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
            self.assertEqual(await self.missing(), 4 * CALLS - len(records))
            await self.gateway.kill()
            await self.gateway.start()
            self.assertAlmostEqual(await self.spent(), 4 * CALLS * each)
            await self.gateway.stop()

        return ensureDeferred(scenario())

    def test_log_alone(self) -> Any:
        """With no room for the log alone the books miss nothing; the gap in the log is counted, and has an end."""

        async def scenario() -> None:
            disk = await self.setting(LOG_APART)
            await self.calls()
            each = await self.spent() / CALLS
            fill(disk / "filler")
            await self.calls()
            self.assertIn("audit.jsonl: cannot write", self.gateway.said)
            self.assertGreater(await self.missing(), 0)
            (disk / "filler").unlink()
            await self.calls()
            lines = (disk / "audit.jsonl").read_text().split("\n")
            self.assertEqual(len([json.loads(line) for line in lines if line]), 3 * CALLS - await self.missing())
            await self.gateway.kill()
            await self.gateway.start()
            self.assertAlmostEqual(await self.spent(), 3 * CALLS * each)
            await self.gateway.stop()

        return ensureDeferred(scenario())

    def test_books_alone(self) -> Any:
        """With no room for the books alone every call is in the log, and in the books once there is room again."""

        async def scenario() -> None:
            disk = await self.setting(BOOKS_APART)
            await self.calls()
            each = await self.spent() / CALLS
            fill(disk / "filler")
            await self.calls()
            await until(lambda: "No space left on device" in self.gateway.said)
            (disk / "filler").unlink()
            await until(lambda: "works again" in self.gateway.said)
            await self.calls()
            self.assertEqual((len(self.gateway.records), await self.missing()), (3 * CALLS, 0))
            await self.gateway.kill()
            await self.gateway.start()
            self.assertAlmostEqual(await self.spent(), 3 * CALLS * each)
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
            await self.gateway.kill()
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
            await fails(self, path, "Read-only file system")

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


def fill(path: Path) -> None:
    """Take all the room there is."""
    with open(path, "wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC
