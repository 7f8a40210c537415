"""A gateway within reach of clients that block: each gets a thread, and an asyncio loop there if it wants one."""

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.harness import Running, start_gateway, until

LARGEST = 300_000
"""The most bytes a request's body may have."""
RETRIED = ("rate_limited", "circuit_open", "upstream_unreachable", "upstream_timeout")
"""Refusals that SDKs are told to try again after."""
KEY = "gateway-key-of-guarded"
PROVIDER_KEY = "key-for-the-provider"
CONFIG = """
gateway: {{port: 0, host: 127.0.0.1, state_dir: {state}, max_body_bytes: 300000}}
providers:
  anthropic: {{base_url: "{provider}"}}
  openai: {{base_url: "{provider}"}}
  anthropic-slow: {{api: anthropic, base_url: "{provider}", response_timeout: 0.2}}
  openai-slow: {{api: openai, base_url: "{provider}", response_timeout: 0.2}}
  nowhere: {{api: openai, base_url: "http://127.0.0.1:1"}}
agents:
  writer: {{}}
  claude: {{provider: anthropic}}
  gpt: {{provider: openai}}
  claude-hurried: {{provider: anthropic-slow}}
  gpt-hurried: {{provider: openai-slow}}
  lost: {{provider: nowhere}}
  spent: {{budget: {{max_cost_per_day: 0.000001}}}}
  limited: {{rate_limit: "1/min"}}
  tripped: {{circuit_breaker: {{error_threshold: 1, reset_timeout: 60000}}}}
  denied: {{}}
  paused: {{}}
  guarded: {{key: gateway-key-of-guarded, api_key: key-for-the-provider}}
policies:
  - {{name: denies, condition: "call_count >= 0", action: deny, agents: [denied]}}
  - {{name: pauses, condition: "call_count >= 0", action: pause, agents: [paused]}}
audit: {{log_file: {state}/audit.jsonl}}
dashboard: false
store: "memory:"
"""


LIMITS = (
    ("spent", "budget_exceeded", 402),
    ("limited", "rate_limited", 429),
    ("denied", "policy_denied", 403),
    ("paused", "agent_paused", 403),
    ("tripped", "circuit_open", 503),
)
"""(agent, reason, status) of refusals that an agent meets at its second call at the latest."""


class ClientTestCase(TestCase):
    """`gateway` runs in this process, in front of a stand-in provider; `agent` says who calls where a test does not.

    `connect(**options)` and `connect_async(**options)` make the official client, to be filled in by each class of tests.
    """

    gateway: Running
    agent = "writer"

    async def setUp(self) -> None:
        """Start a gateway of this test's own."""
        self.gateway = await start_gateway(self, CONFIG)

    def connect(self, **options: Any) -> Any:
        """A client that blocks."""
        raise NotImplementedError

    def connect_async(self, **options: Any) -> Any:
        """A client for asyncio."""
        raise NotImplementedError

    def options(self, path: str, given: dict[str, Any]) -> dict[str, Any]:
        """Constructor options of either SDK: no retries, `x-agent-id`, and whatever a test gives instead."""
        usual = {"api_key": "k", "max_retries": 0, "default_headers": {"x-agent-id": self.agent}}
        return usual | {"base_url": self.gateway.url + path} | given

    async def ask(self, work: Callable[[Any], Any], **options: Any) -> Any:
        """What `work(client)` returns, run in a thread."""

        def run() -> Any:
            with self.connect(**options) as client:
                return work(client)

        return await deferToThread(run)

    async def ask_async(self, work: Callable[[Any], Any], **options: Any) -> Any:
        """What the coroutine `work(client)` returns, run on an asyncio loop in a thread."""

        async def run() -> Any:
            async with self.connect_async(**options) as client:
                return await work(client)

        return await deferToThread(lambda: asyncio.run(run()))

    async def failure(self, kind: type[Exception], work: Callable[[Any], Any], **options: Any) -> Any:
        """The exception of this kind that `work(client)` raises."""
        with self.assertRaises(kind) as caught:
            await self.ask(work, **options)
        return caught.exception

    async def refused(self, kind: type[Exception], work: Callable[[Any], Any], reason: str, **options: Any) -> Any:
        """The exception of the SDK's that a refusal of the gateway's is; it carries the reason and the record's id."""
        error = await self.failure(kind, work, **options)
        headers = error.response.headers
        self.assertEqual(headers["x-agentgateway-reason"], reason)
        self.assertEqual(headers["x-agentgateway-request-id"], self.record["id"])
        self.assertEqual((self.record["reason"], self.record["status"]), (reason, error.status_code))
        self.assertEqual(headers["x-should-retry"], "true" if reason in RETRIED else "false")
        return error

    @property
    def record(self) -> dict[str, Any]:
        """The last audit record."""
        return self.gateway.records[-1]

    @property
    def served(self) -> Any:
        """What the provider has counted."""
        assert self.gateway.standin is not None
        return self.gateway.standin.served

    async def left(self) -> None:
        """Wait until no call is under way, and the provider has been left too."""
        await until(lambda: not self.gateway.in_flight and self.served.connections_left)


def standin(**knobs: object) -> dict[str, str]:
    """Headers that tell the stand-in what to do: `fault="truncate"`, `output=30`, ..."""
    return {f"x-standin-{name}": str(value) for name, value in knobs.items()}
