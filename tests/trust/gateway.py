"""A gateway in a process of its own, and what its operator sees of it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from tests.harness import reactor, until
from tests.peers import Answer, ask, closed_port, request
from tests.reality.processes import GATEWAY, Process, healthy, spawn, write_config
from tests.trust.audited import Audited, audited

CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}, drain_timeout: 2}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}"}}
  openai: {{base_url: "http://127.0.0.1:{provider}"}}
  google: {{base_url: "http://127.0.0.1:{provider}"}}
agents:
  "*": {{circuit_breaker: {{error_threshold: 1000000}}}}
prices: {{priced: {{input: 3, output: 15}}}}
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: false
store: "sqlite:{folder}/ledger.sqlite"
"""
JSON = (b"Content-Type", b"application/json")


@attrs.define
class Gateway:
    """The gateway that runs on `path`; `process` is its latest process."""

    testcase: Any
    path: str
    port: int
    command: tuple[str, ...] = GATEWAY
    process: Process = attrs.field(init=False)

    async def start(self) -> None:
        """Run, until it answers."""
        self.process = spawn(self.testcase, *self.command, self.path)
        await healthy(self.testcase, self.process, self.port)

    async def stop(self) -> None:
        """Ask it to stop; the test fails where it does not end well or has anything to complain of."""
        self.process.stop()
        status = await self.process.ended
        self.testcase.assertEqual(status, (0, None), self.said)
        self.testcase.assertNotIn("Traceback", self.said)

    async def kill(self) -> None:
        """End it without a word."""
        self.process.transport.signalProcess("KILL")
        await self.process.ended

    @property
    def folder(self) -> Path:
        """Everything it writes is in here."""
        return Path(self.path).parent

    @property
    def token(self) -> bytes:
        """The admin token."""
        [path] = self.folder.glob("**/admin-token")
        return path.read_bytes().strip()

    @property
    def said(self) -> str:
        """Its log."""
        return (self.process.out + self.process.err).decode("utf-8", "backslashreplace")

    @property
    def records(self) -> list[dict[str, Any]]:
        """The audit log, with what was rotated away before it; every line must be whole."""
        lines = [line for log in self.logs for line in log.read_text("utf-8").split("\n")]
        return [json.loads(line) for line in lines if line]

    @property
    def logs(self) -> list[Path]:
        """The files of the audit log."""
        return [*sorted(self.folder.glob("audit.jsonl.*")), self.folder / "audit.jsonl"]

    @property
    def audited(self) -> Audited:
        """The audit log summed, however long it is."""
        return audited(self.logs)

    @property
    def descriptors(self) -> int:
        """Files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    async def number(self, name: str) -> float:
        """One of its metrics that has no labels."""
        [value] = await self.numbers(name)
        return value

    async def numbers(self, name: str) -> list[float]:
        """Its metrics by a name, labels and all; a pattern matches those of some labels."""
        text = bytes((await self.manage(b"GET", b"/metrics")).body).decode()
        return [float(value) for value in re.findall(rf"(?m)^agentgateway_{name} (\S+)$", text)]

    async def get(self, path: bytes, *fields: tuple[bytes, bytes]) -> Answer:
        """Look."""
        return await ask(self.testcase, self.port, request(b"GET", path, None, *fields))

    async def manage(self, method: bytes, path: bytes, body: bytes | None = None) -> Answer:
        """Ask the management API, with the admin token."""
        raw = request(method, path, body, (b"Authorization", b"Bearer " + self.token), JSON)
        return await ask(self.testcase, self.port, raw)

    async def agent(self, name: str) -> dict[str, Any]:
        """How an agent stands."""
        answer = await self.manage(b"GET", b"/api/agents/" + name.encode())
        self.testcase.assertEqual(answer.status, 200, bytes(answer.body))
        told: dict[str, Any] = json.loads(bytes(answer.body))
        return told

    async def quiet(self, timeout: float = 10.0) -> None:
        """Wait until no call is under way."""
        deadline = reactor.seconds() + timeout
        while json.loads(bytes((await self.get(b"/health")).body))["in_flight"]:
            if reactor.seconds() > deadline:
                raise AssertionError("calls are under way for ever")
            await pause(0.02)

    async def check_books(self, names: list[str], what: object = "", log: Audited | None = None) -> int:
        """Ledger and audit log agree, and nothing is held; gives all that was spent, in nano-dollars."""
        log, spent = log or self.audited, 0
        self.testcase.assertEqual(log.again, [], what)
        for name in names:
            agent, audited = await self.agent(name), log.of(name).cost
            self.testcase.assertEqual(round(agent["total_cost"] * 10**9), audited, f"{what}: {name}")
            self.testcase.assertEqual(agent["budget"]["reserved"], 0, f"{what}: {name}")
            spent += audited
        return spent


async def start(testcase: Any, provider: int, config: str = CONFIG, command: tuple[str, ...] = GATEWAY) -> Gateway:
    """A gateway in front of the provider on a port of this machine, answering; gone with the test."""
    port = closed_port()
    gateway = Gateway(testcase, write_config(testcase, port, provider, config), port, command)
    await gateway.start()
    return gateway


async def pause(seconds: float) -> None:
    """Let time pass."""
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    await done


async def grown(gateway: Gateway, before: int, most: int) -> int:
    """How much memory it has beyond `before` bytes, once that is less than `most` again; fails where it stays more."""
    try:
        await until(lambda: gateway.process.resident - before < most)
    except AssertionError:
        raise AssertionError(f"it grew by {(gateway.process.resident - before) / 2**20:.1f} MB")
    return gateway.process.resident - before


async def fails(testcase: Any, path: str, *words: str) -> None:
    """A gateway on the file at `path` ends with status 1 and a line that says why."""
    process = spawn(testcase, *GATEWAY, path)
    status = await process.ended
    said = (process.out + process.err).decode()
    testcase.assertEqual(status, (1, None), said)
    testcase.assertEqual(len(said.strip().splitlines()), 1, said)
    for word in words:
        testcase.assertIn(word, said)
