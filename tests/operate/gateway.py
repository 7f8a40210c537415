"""A gateway as a process with its files, the command line beside it, and callers that do not let up."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue

from tests.harness import reactor
from tests.peers import Answer, Caller, ask, call_in, post, request
from tests.reality.processes import GATEWAY, ROOT, Process, healthy

CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}, drain_timeout: 1.5}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}"}}
agents:
  "*": {{}}
  researcher: {{provider: anthropic, budget: {{max_cost_per_hour: 5}}}}
  coder: {{provider: anthropic}}
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: false
store: "sqlite:{folder}/ledger.sqlite"
"""
BODY = {"model": "claude-sonnet-4-5", "max_tokens": 40, "messages": [{"role": "user", "content": "hello"}]}
Knob = tuple[bytes, bytes]


def message(agent: bytes, stream: bool = False, *knobs: Knob) -> bytes:
    """A call to Anthropic's API."""
    body = json.dumps(BODY | {"stream": True} if stream else BODY)
    return post(b"/v1/messages", body.encode(), (b"x-agent-id", agent), *knobs)


def records(folder: Path, name: str = "audit.jsonl") -> list[dict[str, Any]]:
    """All lines of an audit log, each of which has to be whole."""
    lines = (folder / name).read_text().split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines]


def later(seconds: float) -> "Deferred[None]":
    """After so many seconds."""
    pause: Deferred[None] = Deferred()
    reactor.callLater(seconds, pause.callback, None)
    return pause


def under_systemd(testcase: Any, path: str, held: int | None = None, **environ: str) -> Process:
    """A gateway as systemd starts it: with these variables, and the listening socket `held` as its descriptor 3."""
    process = Process()
    told = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=agentgateway " if held is not None else ""
    command = ("/bin/sh", "-c", told + 'exec "$@"', "sh", *GATEWAY, path)
    descriptors: dict[int, str | int] = {0: "w", 1: "r", 2: "r"} | ({} if held is None else {3: held})
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environ}
    reactor.spawnProcess(process, command[0], command, env=environ, childFDs=descriptors)

    def kill() -> Any:
        if not process.over:
            process.transport.signalProcess("KILL")
        return process.ended

    testcase.addCleanup(kill)
    return process


class Gateway:
    """`agentgateway start` on the file at `path`, and its other commands."""

    def __init__(self, testcase: Any, path: str, port: int) -> None:
        self.testcase, self.path, self.port = testcase, path, port
        self.folder = Path(path).parent
        self.environ: dict[str, str] = {}
        self.process: Process

    async def start(self) -> None:
        """Run it until it answers."""
        self.process = under_systemd(self.testcase, self.path, **self.environ)
        await healthy(self.testcase, self.process, self.port)

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.transport.signalProcess(number)

    async def ended(self) -> None:
        """Wait for its end, which has to be a good one."""
        status = await self.process.ended
        said = self.process.err.decode()
        self.testcase.assertEqual(status, (0, None), said)
        self.testcase.assertNotIn("Traceback", said)

    def command(self, *arguments: str) -> tuple[str, ...]:
        """A command line for this gateway."""
        return (sys.executable, "-m", "agentgateway", arguments[0], "-c", self.path, *arguments[1:])

    async def run(self, *arguments: str, status: int = 0) -> str:
        """What a command says; it has to end with that status."""
        program, *rest = self.command(*arguments)
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        out, err, code = await getProcessOutputAndValue(program, rest, environ, None, reactor)
        self.testcase.assertEqual(code, status, (out + err).decode())
        return str((out + err).decode())

    async def call(self, agent: bytes, *knobs: Knob) -> tuple[int, str]:
        """The status of a call, and why it was refused."""
        answer = await ask(self.testcase, self.port, message(agent, False, *knobs))
        return answer.status, b"".join(answer.all(b"x-agentgateway-reason")).decode()

    async def agent(self, name: str) -> dict[str, Any]:
        """An agent as the API shows it, or the error."""
        token = b"Bearer " + (self.folder / "admin-token").read_bytes().strip()
        asked = request(b"GET", f"/api/agents/{name}".encode(), None, (b"Authorization", token))
        answer = await ask(self.testcase, self.port, asked)
        found: dict[str, Any] = json.loads(bytes(answer.body))
        return found


class Client:
    """As an SDK does, calls on one connection `rate` times a second until `stop`; a new one where an answer says close."""

    def __init__(self, testcase: Any, port: int, rate: float, raw: bytes) -> None:
        self._testcase, self._port, self._raw = testcase, port, raw
        self._pause = 1 / rate
        self._going = True
        self._caller: Caller | None = None
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._done = ensureDeferred(self._work())

    async def _work(self) -> None:
        while self._going:
            try:
                await self._call()
            except Exception as error:
                self.failures.append(repr(error))
            await later(self._pause)

    async def _call(self) -> None:
        if self._caller is None:
            self._caller = await call_in(self._testcase, self._port)
        answer = await self._caller.ask(self._raw)
        self.answers.append(answer)
        if b"close" in b"".join(answer.all(b"connection")).lower() or not answer.ended:
            await self._caller.closed
            self._caller = None

    async def stop(self) -> None:
        """No more; wait for what is under way."""
        self._going = False
        await self._done

    @property
    def sent(self) -> int:
        """Calls made."""
        return len(self.answers) + len(self.failures)


class Load:
    """Calls on connections of their own, `rate` a second, until `stop`; `answers` are those that got one."""

    def __init__(self, testcase: Any, port: int, rate: float, raw: bytes) -> None:
        self._testcase, self._port, self._raw = testcase, port, raw
        self._pause = 1 / rate
        self._calls: list[Deferred[None]] = []
        self._next: Any = None
        self._began = reactor.seconds()
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self.sent = 0
        self._go()

    def _go(self) -> None:
        """As many as are due."""
        while self.sent * self._pause <= reactor.seconds() - self._began:
            self.sent += 1
            self._calls.append(ensureDeferred(self._call()))
        self._next = reactor.callLater(self._pause, self._go)

    async def _call(self) -> None:
        try:
            self.answers.append(await ask(self._testcase, self._port, self._raw))
        except Exception as error:
            self.failures.append(repr(error))

    async def stop(self) -> None:
        """No more; wait for what is under way."""
        self._next.cancel()
        await gatherResults(self._calls)


def lost(answers: list[Answer]) -> list[Any]:
    """Those that refuse, or are cut short."""
    return [(answer.status, answer.ended) for answer in answers if answer.status != 200 or not answer.ended]
