"""Agents and budgets as everybody is shown them."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.view import agent_view, budget_view
from tests.pipeline.calls import NOW, config_of, fleet_of

CONFIG = """
agents:
  writer: {provider: openai, rate_limit: 5/min, budget: {max_cost_per_hour: 2, max_cost_total: 0.000000003}}
  free: {}
"""


class ViewTests(SynchronousTestCase):
    """JSON-ready values."""

    def setUp(self) -> None:
        """Two agents."""
        fleet = fleet_of(config_of(CONFIG))
        writer, free = fleet.get("writer"), fleet.get("free")
        assert writer is not None and free is not None
        self.writer, self.free = writer, free

    def test_budget(self) -> None:
        """The caps in force, what is held, and what the tightest cap leaves; exact to the nano-dollar."""
        self.writer.account.hold("a", 1)
        seen = budget_view(self.writer, NOW)
        self.assertEqual(
            (seen["max_cost_per_hour"], seen["max_cost_per_day"], seen["max_cost_total"]), (2.0, None, 3e-9)
        )
        self.assertEqual((seen["reserved"], seen["remaining"], list(seen["resets_at"])), (1e-9, 2e-9, ["hour"]))
        self.assertIsNone(budget_view(self.free, NOW)["remaining"])

    def test_agent(self) -> None:
        """All of it can be written as JSON; what an agent does not have is null."""
        seen = json.loads(json.dumps(agent_view(self.writer, NOW)))
        self.assertEqual((seen["status"], seen["rate_limit"]), ("idle", {"limit": "5/min", "available": 5}))
        self.assertEqual((seen["circuit_breaker"]["state"], seen["last_call"]), ("closed", None))
        self.assertIsNone(agent_view(self.free, NOW)["rate_limit"])

    def test_worst_circuit(self) -> None:
        """Of several circuits the one that is worst is shown, and each by its provider."""
        self.writer.breaker("groq")
        broken = self.writer.breaker("openai")
        for _ in range(5):
            broken.leave(broken.enter(NOW.monotonic), False, NOW.monotonic)
        seen = agent_view(self.writer, NOW)["circuit_breaker"]
        self.assertEqual((seen["state"], seen["providers"]["groq"]["state"]), ("open", "closed"))
        self.assertRegex(seen["retry_at"], r"^2026-.*Z$")
