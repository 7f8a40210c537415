"""Processes under test: started, watched, and gone with the test."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol

from tests.harness import until
from tests.peers import ask, request

reactor: Any = _reactor
ROOT = Path(__file__).resolve().parents[2]
GATEWAY = (sys.executable, "-m", "agentgateway", "start", "-c")
STANDIN = (sys.executable, "-m", "agentgateway.demo.standin")
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}"}}
  openai: {{base_url: "http://127.0.0.1:{provider}"}}
agents:
  "*": {{}}
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: false
store: "memory:"
"""


class Process(ProcessProtocol):
    """One process: `out` and `err` as far as they came; `ended` fires with (exit status, signal)."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.over = False
        self.ended: Deferred[tuple[int | None, int | None]] = Deferred()

    def outReceived(self, data: bytes) -> None:
        """It said something."""
        self.out += data

    def errReceived(self, data: bytes) -> None:
        """It complained."""
        self.err += data

    def processEnded(self, reason: Any) -> None:
        """It is gone."""
        self.over = True
        self.ended.callback((reason.value.exitCode, reason.value.signal))

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self.transport.pid)

    @property
    def resident(self) -> int:
        """Bytes of memory it has."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    @property
    def busy(self) -> float:
        """Seconds of a core it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Ask it to stop."""
        self.transport.signalProcess(signal.SIGTERM)


def spawn(testcase: Any, *command: str) -> Process:
    """Start a process in the checkout's code; it is killed with the test."""
    process = Process()
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    reactor.spawnProcess(process, command[0], command, env=environment, path=os.getcwd())

    def kill() -> Any:
        if process.over:
            return None
        try:
            process.transport.signalProcess(signal.SIGKILL)
        except ProcessExitedAlready:
            pass
        return process.ended

    testcase.addCleanup(kill)
    return process


def write_config(testcase: Any, port: int, provider: int = 1, config: str = CONFIG) -> str:
    """A configuration file of its own folder; its path."""
    folder = os.path.abspath(testcase.mktemp())
    os.makedirs(folder)
    path = os.path.join(folder, "gateway.yaml")
    Path(path).write_text(config.format(port=port, provider=provider, folder=folder))
    return path


async def healthy(testcase: Any, process: Process, port: int) -> bytes:
    """Wait until the gateway answers; the body of its /health."""
    listening: list[int] = []

    def connects() -> bool:
        if process.over:
            raise AssertionError(f"it ended: {process.err.decode()}")
        listening[:] = [port] if listens(port) else []
        return bool(listening)

    await until(connects, 20)
    answer = await ask(testcase, port, request(b"GET", b"/health", None))
    testcase.assertEqual(answer.status, 200)
    return bytes(answer.body)


def listens(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1, as the kernel says it."""
    wanted = f"0100007F:{port:04X}"
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(fields[1] == wanted and fields[3] == "0A" for fields in lines)


async def start_standin(testcase: Any) -> tuple[Process, int]:
    """A stand-in provider in a process of its own, and its port."""
    process = spawn(testcase, *STANDIN)
    await until(lambda: b"\n" in process.out, 20)
    return process, int(process.out.split()[0])
