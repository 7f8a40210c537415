"""What the operations page promises and a machine can try: backups, nginx in front, the unit, the numbers to watch."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SkipTest, TestCase

from tests.harness import until
from tests.operate.gateway import CONFIG, Gateway, message
from tests.peers import ask, call_in, closed_port, request
from tests.reality.processes import ROOT, Process, listens, reactor, start_standin, write_config

PAGE = ROOT / "docs" / "operations.md"
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {block}
}}
"""


class OperationsTests(TestCase):
    """With real programs."""

    timeout = 60

    async def begin(self) -> Gateway:
        """A gateway in front of a stand-in."""
        _, self.provider = await start_standin(self)
        port = closed_port()
        gateway = Gateway(self, write_config(self, port, self.provider, CONFIG), port)
        await gateway.start()
        return gateway

    def test_backup(self) -> Any:
        """A copy of the ledger, made by SQLite while the gateway runs, starts a gateway that knows what was spent."""

        async def scenario() -> None:
            gateway = await self.begin()
            await gateway.call(b"coder")
            before = await gateway.agent("coder")
            copy = closed_port()
            other = Gateway(self, write_config(self, copy, self.provider, CONFIG), copy)
            await until(lambda: self.backed_up(gateway.folder, other.folder), 10)
            await other.start()
            after = await other.agent("coder")
            for name in ("total_cost", "call_count", "input_tokens", "output_tokens"):
                self.assertEqual(after[name], before[name])
            gateway.send(signal.SIGTERM)
            await gateway.ended()

        return ensureDeferred(scenario())

    def backed_up(self, source: Path, target: Path) -> bool:
        """Make the copy; whether it has the call, which may take a second or so."""
        name = "ledger.sqlite"
        with closing(sqlite3.connect(source / name)) as database, closing(sqlite3.connect(target / name)) as copy:
            database.backup(copy)
            return b"coder" in b"".join(line.encode() for line in copy.iterdump() if line.startswith("INSERT"))

    def test_nginx(self) -> Any:
        """Behind nginx streams come piece by piece, and management is not to be had."""
        if shutil.which("nginx") is None:
            raise SkipTest("there is no nginx on this machine")

        async def scenario() -> None:
            gateway = await self.begin()
            port = await self.nginx(gateway.port)
            caller = await call_in(self, port)
            caller.transport.write(
                message(b"coder", True, (b"x-standin-chunks", b"20"), (b"x-standin-interval", b"0.05"))
            )
            await until(lambda: b"content_block_delta" in caller.answer.body)
            self.assertNotIn(b"message_stop", caller.answer.body)
            await until(lambda: caller.answer.ended)
            self.assertIn(b"message_stop", caller.answer.body)
            local = request(b"GET", b"/api/status", None).replace(b"gateway.test", b"localhost")
            self.assertEqual((await ask(self, gateway.port, local)).status, 200)
            self.assertEqual((await ask(self, port, local)).status, 404)
            self.assertEqual((await ask(self, port, request(b"GET", b"/health", None))).status, 200)

        return ensureDeferred(scenario())

    async def nginx(self, gateway: int) -> int:
        """nginx with the server block that is shipped, but for its certificate; its port."""
        port, folder = closed_port(), os.path.abspath(self.mktemp())
        os.makedirs(folder)
        block = (ROOT / "packaging" / "nginx.conf").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{gateway}")
        block = re.sub(r"\n *ssl_certificate.*", "", block.replace("listen 443 ssl", f"listen 127.0.0.1:{port}"))
        file = Path(folder, "nginx.conf")
        file.write_text(NGINX.format(folder=folder, block=block))
        process = Process()
        reactor.spawnProcess(process, shutil.which("nginx"), ["nginx", "-c", str(file), "-p", folder], env=os.environ)

        def stop() -> Any:
            if not process.over:
                process.transport.signalProcess("TERM")
            return process.ended

        self.addCleanup(stop)
        await until(lambda: listens(port) or process.over)
        self.assertFalse(process.over, process.err.decode())
        return port

    def test_unit(self) -> None:
        """systemd finds nothing to say about the unit and its socket, but that the program is not installed here."""
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("there is no systemd-analyze on this machine")
        units = [str(ROOT / "packaging" / f"agentgateway.{kind}") for kind in ("service", "socket")]
        said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False).stderr
        self.assertEqual([line for line in said.splitlines() if "is not executable" not in line], [])

    def test_numbers(self) -> Any:
        """The metrics that the page names are there, and so are its paths."""

        async def scenario() -> None:
            gateway = await self.begin()
            await gateway.call(b"researcher")
            token = (b"Authorization", b"Bearer " + (gateway.folder / "admin-token").read_bytes().strip())
            answer = await ask(self, gateway.port, request(b"GET", b"/metrics", None, token))
            families = {family.name for family in text_string_to_metric_families(bytes(answer.body).decode())}
            named = set(re.findall(r"`(agentgateway_[a-z_]+)`", PAGE.read_text()))
            self.assertGreater(len(named), 3)
            self.assertEqual(named - families, set())
            described = json.loads(
                bytes((await ask(self, gateway.port, request(b"GET", b"/api/openapi.json", None, token))).body)
            )
            paths = {re.sub(r"\{\w+\}", "ID", path) for path in described["paths"]}
            told = set(re.findall(r"`(?:GET|POST|PUT) (/[\w./]+)`", PAGE.read_text()))
            self.assertEqual(told, paths)

        return ensureDeferred(scenario())
