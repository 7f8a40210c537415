"""Starting and stopping the gateway as its users do, and what they read when it cannot start."""

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.peers import closed_port
from tests.reality.processes import CONFIG, GATEWAY, healthy, listens, spawn, write_config

BIN = Path(sys.executable).parent
WAYS: dict[str, tuple[str, ...]] = {
    "agentgateway start": GATEWAY,
    "twistd": (str(BIN / "twistd"), "-n", "--pidfile=", "agentgateway", "-c"),
    "twist": (sys.executable, "-m", "twisted", "agentgateway", "-c"),
}
ENDS = {"agentgateway start": (0, None), "twistd": (None, signal.SIGTERM), "twist": (None, signal.SIGTERM)}
"""(exit status, signal): Twisted's own commands pass the signal on to themselves once everything has stopped."""


class StartTests(TestCase):
    """One service, three ways to run it."""

    def starts(self, way: str) -> Any:
        """It answers /health, and ends well when it is told to stop."""

        async def scenario() -> None:
            port = closed_port()
            process = spawn(self, *WAYS[way], write_config(self, port))
            health = json.loads(await healthy(self, process, port))
            self.assertEqual(health["status"], "ok")
            process.stop()
            self.assertEqual(await process.ended, ENDS[way], process.err.decode())
            self.assertNotIn(b"Traceback", process.out + process.err)
            self.assertFalse(listens(port))

        return ensureDeferred(scenario())

    def test_start(self) -> Any:
        """`agentgateway start` runs it, says where, and stops on SIGTERM."""
        return self.starts("agentgateway start")

    def test_twistd(self) -> Any:
        """`twistd -n agentgateway` runs the same."""
        return self.starts("twistd")

    def test_twist(self) -> Any:
        """So does `twist agentgateway`."""
        return self.starts("twist")

    def test_what_to_do_next(self) -> Any:
        """The first words say where it listens and how to point an agent at it."""

        async def scenario() -> None:
            port = closed_port()
            process = spawn(self, *GATEWAY, write_config(self, port))
            await healthy(self, process, port)
            self.assertIn(f"http://127.0.0.1:{port}".encode(), process.out)
            self.assertIn(b"ANTHROPIC_BASE_URL", process.out)

        return ensureDeferred(scenario())


class CannotStartTests(TestCase):
    """What is wrong is said in a line, without a traceback, and the exit status is 1."""

    async def fails(self, way: str, path: str, *words: str) -> None:
        """It ends with status 1 and says so."""
        process = spawn(self, *WAYS[way], path)
        status = await process.ended
        said = (process.out + process.err).decode()
        self.assertEqual(status, (1, None), said)
        for word in words:
            self.assertIn(word, said)
        self.assertNotIn("Traceback", said, way)
        if way == "agentgateway start":
            self.assertEqual(len(said.strip().splitlines()), 1, said)

    def test_busy_port(self) -> Any:
        """A port that is taken is named, however the gateway is started."""

        async def scenario() -> None:
            with socket.socket() as busy:
                busy.bind(("127.0.0.1", 0))
                busy.listen()
                port = busy.getsockname()[1]
                for way in WAYS:
                    await self.fails(way, write_config(self, port), "cannot listen", str(port), "in use")

        return ensureDeferred(scenario())

    def test_broken_config(self) -> Any:
        """A mistake in the file is told with its line, however the gateway is started."""

        async def scenario() -> None:
            path = write_config(self, 8080, config=CONFIG.replace('  "*": {{}}', '  "*": {{rate_limit: 50/fortnight}}'))
            for way in WAYS:
                await self.fails(way, path, "gateway.yaml:7", "rate_limit", "50/fortnight")

        return ensureDeferred(scenario())

    def test_no_config(self) -> Any:
        """A file that is not there is named."""

        async def scenario() -> None:
            missing = os.path.abspath("nowhere.yaml")
            for way in WAYS:
                await self.fails(way, missing, "nowhere.yaml")

        return ensureDeferred(scenario())
