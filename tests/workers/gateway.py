"""A gateway of several workers as processes, on a Redis and a PostgreSQL of the tests' own."""

import json
import os
import shutil
import signal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol

from tests import postgres
from tests.harness import connect, reactor, until
from tests.operate.gateway import Gateway
from tests.ops.dashboard.served import TEXT, SocketClient
from tests.peers import Caller, ask, closed_port, request
from tests.reality.processes import start_standin
from tests.redis import Redis

CONFIG = """
gateway: {{listen: [{listen}], state_dir: {folder}, drain_timeout: 5}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}"}}
agents:
  "*": {{}}
  researcher: {{provider: anthropic, budget: {{max_cost_per_hour: 5}}}}
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: {{port: {board}, host: 127.0.0.1}}
store: {{live: "{live}", history: "{history}"}}
workers: 2
"""


class Workers(Gateway):
    """`agentgateway start` with `workers: 2`, in front of a stand-in provider; `start` runs it until all of them serve."""

    def __init__(self, testcase: Any, provider: int, config: str, **listen: str) -> None:
        self.folder = Path(mkdtemp(prefix="agw-"))  # a short path, as UNIX sockets need it
        testcase.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.redis = Redis()
        testcase.addCleanup(self.redis.stop)
        port, board = closed_port(), closed_port()
        self.board = board
        path = str(self.folder / "gateway.yaml")
        said = {"listen": f"'tcp:{port}:interface=127.0.0.1'"} | listen
        places = {"folder": self.folder, "provider": provider, "board": board, **said}
        text = config.format(**places, live=self.redis.url, history=postgres.server().database())
        Path(path).write_text(text)
        super().__init__(testcase, path, port)

    async def start(self) -> None:
        """Run it until every worker answers its siblings."""
        await super().start()
        await until(lambda: len(self.pids) == 2 and all(self.socket(number).exists() for number in (0, 1)), 20)

    def socket(self, number: int) -> Path:
        """A worker's own socket."""
        return self.folder / f"worker-{number}" / "control.sock"

    @property
    def pids(self) -> dict[int, int]:
        """The workers' processes, by number."""
        parent = self.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        found = {}
        for pid in map(int, children):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):  # it has ended since
                continue
            if b"agentgateway.workers.worker" in words:
                found[int(json.loads(words[words.index(b"agentgateway.workers.worker") + 1])["number"])] = pid
        return found

    @property
    def _token(self) -> tuple[bytes, bytes]:
        return b"Authorization", b"Bearer " + (self.folder / "admin-token").read_bytes().strip()

    async def get(self, path: bytes) -> Any:
        """What the management API says, decoded."""
        answer = await ask(self.testcase, self.port, request(b"GET", path, None, self._token))
        self.testcase.assertEqual(answer.status, 200, bytes(answer.body))
        return json.loads(bytes(answer.body))

    async def of_each(self, path: bytes) -> list[Any]:
        """What each worker says for itself, decoded."""
        found = []
        for number in sorted(self.pids):
            endpoint = UNIXClientEndpoint(reactor, str(self.socket(number)))
            caller = await connectProtocol(endpoint, Caller())
            answer = await caller.ask(request(b"GET", path, None, self._token))
            caller.transport.loseConnection()
            await caller.closed
            self.testcase.assertEqual(answer.status, 200, bytes(answer.body))
            found.append(json.loads(bytes(answer.body)))
        return found

    def records(self) -> list[dict[str, Any]]:
        """All lines of all workers' audit logs, each of which has to be whole."""
        found = []
        for path in self.folder.glob("audit*.jsonl"):
            lines = path.read_text().split("\n")
            assert lines.pop() == ""
            found += [json.loads(line) for line in lines]
        return found

    def stop(self) -> None:
        """Ask it to stop."""
        self.process.transport.signalProcess(signal.SIGTERM)


async def started(testcase: Any, config: str = CONFIG, **listen: str) -> Workers:
    """One that runs."""
    _, provider = await start_standin(testcase)
    gateway = Workers(testcase, provider, config, **listen)
    await gateway.start()
    return gateway


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return os.stat(f"/proc/{pid}").st_nlink > 0 and ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class Board:
    """Somebody who looks at the dashboard: `rows` by agent and `gateway` as the page would have them now."""

    def __init__(self, client: SocketClient) -> None:
        self._client = client
        self._read = 0
        self.rows: dict[str, Any] = {}
        self.gateway: dict[str, Any] = {}
        self.recent: list[str] = []
        self.alerts: list[str] = []

    def look(self) -> "Board":
        """Take in what has come."""
        told = self._client.payloads(TEXT)
        for payload in told[self._read :]:
            message = json.loads(payload)
            if message["type"] == "snapshot":
                self.rows = {}
                self.recent = []
                self.alerts = []
            self.gateway = message["gateway"]
            self.rows |= {row["id"]: row for row in message["agents"]}
            for name in message.get("gone", ()):
                self.rows.pop(name, None)
            self.recent += [record["id"] for record in message["recent"]]
            self.alerts += [alert["text"] for alert in message["alerts"]]
        self._read = len(told)
        return self


async def board(testcase: Any, gateway: Workers) -> Board:
    """A viewer, shown everything."""
    raw = await connect(testcase, gateway.board)
    client = SocketClient(raw)
    client.ask("/ws", Host=f"127.0.0.1:{gateway.board}")
    found = Board(client)
    await until(lambda: found.look().gateway != {}, 20)
    return found
