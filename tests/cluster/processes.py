"""Gateways in processes of their own, each with its own way to one redis-server."""

import os
import signal
from typing import Any

import attrs
from twisted.internet.defer import ensureDeferred

from tests.cluster.forwarder import Network
from tests.governance.books import Wish
from tests.harness import listen, reactor
from tests.peers import Answer, ask, closed_port
from tests.reality.processes import GATEWAY, Process, healthy, spawn, start_standin
from tests.redis import Redis

PATIENCE = 15.0
"""Seconds after which a caller leaves: longer than a gateway hangs."""
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}, drain_timeout: 2}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}"}}
  openai: {{base_url: "http://127.0.0.1:{provider}"}}
agents:
AGENTS
prices: {{priced: {{input: 3, output: 15, cache_write: 3}}}}
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: false
store: {{live: "redis://127.0.0.1:{redis}", history: "postgresql://nobody@127.0.0.1:1/none"OUTAGE}}
"""


@attrs.define(eq=False)
class Member:
    """One gateway: where it is, and how it reaches the store."""

    testcase: Any
    port: int
    folder: str
    network: Network
    process: Process | None = None

    async def start(self) -> None:
        """Run it, on what it has left."""
        self.process = spawn(self.testcase, *GATEWAY, os.path.join(self.folder, "gateway.yaml"))
        await healthy(self.testcase, self.process, self.port)

    async def kill(self) -> None:
        """End it at once."""
        process, self.process = self.process, None
        if process is not None:
            process.transport.signalProcess("KILL")
            await process.ended

    def hang(self) -> None:
        """Let it do nothing, as a machine that is overloaded."""
        if self.process is not None:
            self.process.transport.signalProcess(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        if self.process is not None:
            self.process.transport.signalProcess(signal.SIGCONT)

    async def call(self, wish: Wish) -> Answer | None:
        """A call; None where the gateway is not there, or dies meanwhile."""
        try:
            return await ensureDeferred(ask(self.testcase, self.port, wish.raw)).addTimeout(PATIENCE, reactor)
        except Exception:
            return None

    @property
    def token(self) -> bytes:
        """What an operator says to be let in."""
        with open(os.path.join(self.folder, "admin-token"), "rb") as file:
            return b"Bearer " + file.read().strip()

    @property
    def log(self) -> str:
        """Its audit log."""
        return os.path.join(self.folder, "audit.jsonl")


async def start_members(testcase: Any, agents: str, count: int = 4, on_outage: str = "") -> tuple[Redis, list[Member]]:
    """A redis-server, a provider, and so many gateways with these agents (YAML lines, braces doubled), running."""
    redis = Redis()
    testcase.addCleanup(redis.stop)
    _, provider = await start_standin(testcase)
    outage = f", on_outage: {on_outage}" if on_outage else ""
    text = CONFIG.replace("AGENTS", agents).replace("OUTAGE", outage)
    found = []
    for _ in range(count):
        network = Network(redis.port)
        store = await listen(testcase, network)
        testcase.addCleanup(network.close)
        folder, port = os.path.abspath(testcase.mktemp()), closed_port()
        os.makedirs(folder)
        with open(os.path.join(folder, "gateway.yaml"), "w", encoding="utf-8") as file:
            file.write(text.format(port=port, folder=folder, provider=provider, redis=store))
        found.append(Member(testcase, port, folder, network))
    for member in found:
        await member.start()
    return redis, found
