"""A gateway with limits in front of a stand-in provider, many callers at once, and the three books held against each other."""

import json
import random
from typing import Any

import attrs
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults

from agentgateway.domain.moment import Moment
from tests.harness import Running
from tests.peers import Answer, ask, post

MODEL = "priced"
INPUT, OUTPUT = 3_000, 15_000
"""Nano-dollars a token."""
CONFIG = """
gateway: {{port: 0, host: 127.0.0.1, state_dir: {state}}}
providers:
  anthropic: {{base_url: "{provider}"}}
  openai: {{base_url: "{provider}"}}
  google: {{base_url: "{provider}"}}
agents:
  "*": {{}}
AGENTS
prices: {{priced: {{input: 3, output: 15, cache_write: 3}}}}
audit: {{log_file: {state}/audit.jsonl}}
dashboard: false
store: "memory:"
"""


def config(agents: str, more: str = "") -> str:
    """The configuration with these agents (YAML lines, braces doubled) and further sections."""
    return CONFIG.replace("AGENTS", agents) + more


@attrs.frozen
class Wish:
    """One call to be made."""

    agent: str
    api: str = "anthropic"
    stream: bool = False
    size: int = 100
    output: int = 50
    chunks: int = 5
    fields: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def raw(self) -> bytes:
        """The request."""
        text = "x" * self.size
        body: dict[str, Any] = {
            "model": MODEL,
            "max_tokens": self.output,
            "messages": [{"role": "user", "content": text}],
        }
        if self.stream:
            body["stream"] = True
        path = b"/v1/messages" if self.api == "anthropic" else b"/v1/chat/completions"
        knobs = ((b"x-agent-id", self.agent.encode()), (b"x-standin-chunks", b"%d" % self.chunks))
        return post(path, json.dumps(body).encode(), *knobs, *self.fields)


def mixed(dice: random.Random, agents: list[str], number: int) -> list[Wish]:
    """Calls of all kinds and sizes."""
    return [
        Wish(
            dice.choice(agents),
            dice.choice(("anthropic", "openai")),
            dice.random() < 0.5,
            dice.choice((10, 200, 4000)),
            dice.choice((20, 100, 700)),
            dice.randint(1, 8),
            dice.choice(((), ((b"x-standin-interval", b"0.003"),))),
        )
        for _ in range(number)
    ]


def all_at_once(testcase: Any, running: Running, wishes: list[Wish]) -> "Deferred[list[Answer]]":
    """Make every call now, each on its own connection; the answers in the same order."""
    calls = [ensureDeferred(ask(testcase, running.port, wish.raw)) for wish in wishes]
    return gatherResults(calls, consumeErrors=True)


def nano(record: dict[str, Any]) -> int:
    """What an audit record says its call cost."""
    return round(record["cost_usd"] * 1_000_000_000)


def account(running: Running, agent: str) -> Any:
    """An agent's money."""
    return running.service.live.fleet.ledger.account(agent)


def served(running: Running) -> int:
    """What the provider says it served, at our prices."""
    assert running.standin is not None
    done = [call for call in running.standin.served.recent if call.status == 200]
    return sum(call.input_tokens * INPUT + call.output_tokens * OUTPUT for call in done)


class Ahead:
    """Puts a gateway's clocks ahead, or the wall clock back; its timers' work is done by `settle_down` alone."""

    def __init__(self, running: Running) -> None:
        self._live = running.service.live
        self._moment = self._live.moment
        self.monotonic = self.wall = 0.0
        self._live.moment = self.now

    def now(self) -> Moment:
        """The time as the gateway has it."""
        now = self._moment()
        return Moment(now.monotonic + self.monotonic, now.wall + self.wall)

    def go(self, seconds: float) -> None:
        """Time passes."""
        self.monotonic += seconds
        self.wall += seconds

    def be(self, wall: float) -> None:
        """Set the wall clock."""
        self.wall = wall - self._moment().wall

    def settle_down(self) -> None:
        """What the gateway does once a second."""
        self._live.fleet.settle_down(self.now())


def check_books(testcase: Any, running: Running, agents: list[str]) -> int:
    """Ledger and audit log agree on each agent, and nothing is held any more; gives all that was spent."""
    for agent in agents:
        mine = account(running, agent)
        testcase.assertEqual(mine.life.cost, sum(nano(one) for one in running.records if one["agent"] == agent))
        testcase.assertEqual((mine.reserved, mine.accrued, mine.open), (0, 0, ()))
    return sum(account(running, agent).life.cost for agent in agents)
