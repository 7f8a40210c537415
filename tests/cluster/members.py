"""Several gateways in this process, on one redis-server and in front of one stand-in provider."""

import os
import random
from typing import Any

from twisted.internet.defer import gatherResults

from agentgateway.config.load import parse
from agentgateway.demo.standin import StandIn
from agentgateway.service import GatewayService
from tests.governance.books import Wish, all_at_once, nano
from tests.harness import Running, listen, reactor, stop, until
from tests.redis import Redis

CONFIG = """
gateway: {{port: 0, host: 127.0.0.1, state_dir: {state}}}
providers:
  anthropic: {{base_url: "{provider}"}}
  openai: {{base_url: "{provider}"}}
  google: {{base_url: "{provider}"}}
agents:
AGENTS
prices: {{priced: {{input: 3, output: 15, cache_write: 3}}}}
audit: {{log_file: {state}/audit.jsonl}}
dashboard: false
store: {{live: "{redis}", history: "postgresql://nobody@127.0.0.1:1/none"ONOUTAGE}}
"""


class Members:
    """`gateways` of one fleet, `standin` the provider of them all; everything ends with the test."""

    def __init__(self, testcase: Any, redis: Redis, standin: StandIn, provider: int, text: str) -> None:
        self.testcase = testcase
        self.redis = redis
        self.standin = standin
        self.gateways: list[Running] = []
        self._provider = provider
        self._text = text

    async def add(self, state: str | None = None, url: str | None = None) -> Running:
        """One more gateway; with the state folder of an earlier one it is that one again."""
        state = state or os.path.abspath(self.testcase.mktemp())
        os.makedirs(state, mode=0o700, exist_ok=True)
        provider = f"http://127.0.0.1:{self._provider}"
        text = self._text.format(provider=provider, state=state, redis=url or self.redis.url)
        service = GatewayService(parse(text, "test.yaml", os.environ), reactor)
        service.startService()
        running = Running(service, await listen(self.testcase, service.server), self.standin)
        self.testcase.addCleanup(stop, running)
        self.gateways.append(running)
        return running

    async def call(self, wishes: list[Wish], dice: random.Random | None = None) -> list[Any]:
        """Make these calls at once, each on one of the gateways; the answers, in no particular order."""
        dice = dice or random.Random(1)
        parts: list[list[Wish]] = [[] for _ in self.gateways]
        for wish in wishes:
            dice.choice(parts).append(wish)
        groups = [all_at_once(self.testcase, one, part) for one, part in zip(self.gateways, parts, strict=True)]
        return [answer for group in await gatherResults(groups) for answer in group]

    def spent(self, agent: str) -> int:
        """What all gateways have on their books for an agent."""
        return sum(one.service.live.fleet.ledger.account(agent).life.cost for one in self.gateways)

    def logged(self, agent: str) -> int:
        """The same by their audit logs."""
        return sum(nano(record) for one in self.gateways for record in one.records if record["agent"] == agent)

    async def quiet(self) -> None:
        """Wait until no call is under way."""
        await until(lambda: all(one.quiet for one in self.gateways))


async def members(testcase: Any, agents: str, count: int = 4, on_outage: str = "") -> Members:
    """A fleet of `count` gateways, with these agents (YAML lines, braces doubled)."""
    redis = Redis()
    testcase.addCleanup(redis.stop)
    standin = StandIn(reactor)
    provider = await listen(testcase, standin)
    outage = f", on_outage: {on_outage}" if on_outage else ""
    found = Members(testcase, redis, standin, provider, CONFIG.replace("AGENTS", agents).replace("ONOUTAGE", outage))
    for _ in range(count):
        await found.add()
    return found
