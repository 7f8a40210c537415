"""Tests of agentgateway.ops.dashboard.service."""

import json

from agentgateway.config.schema import Dashboard
from agentgateway.domain.history import ALL
from tests.harness import until
from tests.ops.dashboard.served import TEXT, Served


class ServiceTests(Served):
    """The dashboard as a whole."""

    async def test_live(self) -> None:
        """A call that has ended is told by the next pass, without anybody asking."""
        client = await self.client()
        await until(lambda: client.payloads(TEXT))
        self.state.call("coder")
        self.state.call("writer")
        await until(lambda: any(json.loads(one)["recent"] for one in client.payloads(TEXT)))
        update = next(content for one in client.payloads(TEXT) if (content := json.loads(one))["recent"])
        self.assertEqual((update["type"], len(update["recent"])), ("update", 2))

    async def test_failure(self) -> None:
        """A pass that fails is logged, and the next one is made all the same."""
        self.service.feed.rows._rows = None  # type: ignore[assignment]
        client = await self.client()
        await until(lambda: self.flushLoggedErrors(TypeError, AttributeError))
        self.service.feed.rows._rows = {}
        await until(lambda: client.payloads(TEXT))
        self.flushLoggedErrors(TypeError, AttributeError)

    async def test_stop(self) -> None:
        """When the gateway stops, what the charts have not stored yet is stored, down to the last call."""
        self.state.call("coder")
        await self.service.stopService()
        self.assertIn("coder", {point.key for point in self.kept})
        self.assertIsNotNone(self.service.history.get(ALL))


class EndpointTests(Served):
    """Where it listens."""

    async def test_endpoint(self) -> None:
        """IPv4, IPv6 and names."""
        self.assertEqual(Dashboard(4040, "0.0.0.0").endpoint, "tcp:4040:interface=0.0.0.0")
        self.assertEqual(Dashboard(4040, "::1").endpoint, "tcp6:4040:interface=\\:\\:1")
