"""Callers of every kind at once: patient ones, those who leave, and those whose provider fails."""

import json
import random
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults

from tests.governance.books import Wish
from tests.harness import reactor
from tests.peers import Answer, ask, call_in, request
from tests.trust.audited import Ids
from tests.trust.gateway import Gateway, pause

FAULTS = (
    "status-429",
    "status-500",
    "reset-before-head",
    "close-before-head",
    "garbage",
    "reset-mid",
    "close-mid",
    "garbage-mid",
    "truncate",
    "error-event",
    "no-usage",
    "odd-usage",
    "gzip",
    "cr",
    "big-line",
    "short-length",
)
STEADY, ROUGH = "steady", "rough"
"""The agents: one whose calls all go well, at a provider of its own, and one whose calls do not."""
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}, drain_timeout: 2}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}"}}
  openai: {{base_url: "http://127.0.0.1:ROUGH", silence_timeout: 2}}
agents:
  "*": {{}}
  steady: {{provider: anthropic, budget: {{max_cost_per_day: 100000, enforcement: hard}}}}
  rough: {{provider: openai, budget: {{max_cost_per_day: 100000}}, circuit_breaker: {{error_threshold: 1000000}}}}
prices: {{priced: {{input: 3, output: 15}}}}
policies: [{{name: watch, condition: "error_rate > 2", action: pause}}]
audit: {{log_file: {folder}/audit.jsonl, max_entries: 200}}
dashboard: false
store: "sqlite:{folder}/ledger.sqlite"
"""


class Load:
    """Workers that call until they are stopped; `seen` are the ids of answers that came to their end.

    Each takes a `rest` of so many seconds between two calls.
    """

    def __init__(
        self, gateway: Gateway, dice: random.Random, agents: tuple[str, ...] = (STEADY, ROUGH), rest: float = 0.0
    ) -> None:
        self.gateway = gateway
        self.dice = dice
        self.agents = agents
        self.rest = rest
        self.seen = Ids()
        self.ended = self.left = self.failed = 0
        self._over = False
        self._work: Deferred[Any] | None = None

    def start(self, workers: int) -> None:
        """Begin."""
        self._over = False
        self._work = gatherResults([ensureDeferred(self._worker()) for _ in range(workers)], consumeErrors=True)

    async def stop(self) -> None:
        """Let every caller finish."""
        self._over = True
        assert self._work is not None
        await self._work

    async def _worker(self) -> None:
        while not self._over:
            agent = self.dice.choice(self.agents)
            try:
                await self._call(agent)
            except Exception:  # the gateway is not there just now
                self.failed += 1
                await pause(0.05)
            if self.rest:
                await pause(self.rest)

    async def _call(self, agent: str) -> None:
        dice = self.dice
        stream, fields = dice.random() < 0.6, [(b"x-standin-interval", b"0.002")]
        if agent == ROUGH and dice.random() < 0.5:
            fields.append((b"x-standin-fault", dice.choice(FAULTS).encode()))
        api = "anthropic" if agent == STEADY else "openai"
        wish = Wish(agent, api, stream, dice.choice((10, 400, 5000)), 40, dice.randint(1, 6), tuple(fields))
        caller = await call_in(Silent(), self.gateway.port)
        if agent == ROUGH and dice.random() < 0.3:
            reactor.callLater(dice.uniform(0, 0.03), caller.transport.abortConnection)
            self.left += 1
        answer: Answer = await caller.ask(wish.raw)
        if answer.ended and answer.status == 200:
            self.ended += 1
            self.seen.add(answer.one(b"x-agentgateway-request-id"))
        if not caller.lost:
            caller.transport.abortConnection()
            await caller.closed
        caller.raw = b""  # some are 10 MB, and wait long for the garbage collector
        answer.body.clear()


class Silent:
    """A test case that keeps no cleanups: a load has too many connections to remember, and closes each itself."""

    def addCleanup(self, *_: Any) -> None:
        """Nothing."""


async def served(testcase: Any, port: int) -> dict[str, Any]:
    """What a stand-in says it served."""
    answer = await ask(testcase, port, request(b"GET", b"/_standin/served", None))
    told: dict[str, Any] = json.loads(bytes(answer.body))
    return told
