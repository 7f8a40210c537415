"""What several workers say of themselves, as one."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain import sums

CIRCUIT = {"state": "closed", "errors": 0, "retry_at": None}
BUDGET = {"max_cost_per_hour": 5.0, "reserved": 0.0, "remaining": 5.0}


def view(id: str = "writer", **said: Any) -> dict[str, Any]:
    """An agent as a worker shows it."""
    usual = {
        **dict.fromkeys(("cost_this_hour", "cost_today", "total_cost", "error_rate"), 0.0),
        **dict.fromkeys(("calls_this_hour", "call_count", "error_count", "input_tokens", "output_tokens"), 0),
        **{"id": id, "status": "idle", "pause_reason": None, "model": None, "provider": None, "last_call": None},
        **{"in_flight": 0, "budget": BUDGET, "rate_limit": None, "circuit_breaker": CIRCUIT | {"providers": {}}},
    }
    return usual | said


class AgentTests(SynchronousTestCase):
    """One agent, of which two workers know."""

    def test_sums(self) -> None:
        """Of sums that all of them know the latest stands; calls under way and what they hold are added up."""
        one = view(total_cost=1.5, call_count=7, in_flight=2, budget=BUDGET | {"reserved": 0.1, "remaining": 3.0})
        other = view(total_cost=1.25, call_count=8, in_flight=3, budget=BUDGET | {"reserved": 0.2, "remaining": 2.5})
        found = sums.agent_of([one, other])
        self.assertEqual((found["total_cost"], found["call_count"], found["in_flight"]), (1.5, 8, 5))
        self.assertEqual((found["budget"]["reserved"], found["budget"]["remaining"]), (0.3, 2.5))
        self.assertEqual(found["budget"]["max_cost_per_hour"], 5.0)

    def test_no_cap(self) -> None:
        """Without a cap nothing is left or not left."""
        self.assertIsNone(sums.budget_of([BUDGET | {"remaining": None}] * 2)["remaining"])

    def test_status(self) -> None:
        """Paused for one is paused; active for one is active; the reason comes along."""
        idle, active = view(), view(status="active")
        paused = view(status="paused", pause_reason="enough")
        self.assertEqual(sums.agent_of([idle, active])["status"], "active")
        self.assertEqual(sums.agent_of([idle, idle])["status"], "idle")
        found = sums.agent_of([active, paused])
        self.assertEqual((found["status"], found["pause_reason"]), ("paused", "enough"))

    def test_after(self) -> None:
        """After a change the word of the worker that made it counts; calls of all of them hold what is left."""
        stale = view(status="paused", pause_reason="enough", budget=BUDGET | {"reserved": 0.5, "remaining": 0.0})
        found = sums.agent_after([view(budget=BUDGET | {"reserved": 0.25, "remaining": 4.0}), stale])
        self.assertEqual((found["status"], found["pause_reason"]), ("idle", None))
        self.assertEqual((found["budget"]["reserved"], found["budget"]["remaining"]), (0.75, 3.5))
        self.assertEqual(sums.agent_after([view(), view(status="active")])["status"], "active")
        found = sums.agent_after([stale, view(status="active", budget=BUDGET | {"reserved": 1.0, "remaining": None})])
        self.assertEqual((found["status"], found["pause_reason"]), ("paused", "enough"))
        self.assertEqual(found["budget"]["remaining"], 0.0)
        self.assertIsNone(sums.budget_after([BUDGET | {"remaining": None}, BUDGET])["remaining"])

    def test_latest(self) -> None:
        """Model and provider are those of the latest call, whoever served it; the rate is what the least is left of."""
        old = view(model="a", provider="x", last_call="2026-11-23T18:00:00.000Z", rate_limit={"available": 3})
        new = view(model="b", provider="y", last_call="2026-11-23T18:00:01.000Z", rate_limit={"available": 5})
        found = sums.agent_of([old, new, view()])
        self.assertEqual((found["model"], found["provider"], found["last_call"]), ("b", "y", new["last_call"]))
        self.assertEqual(found["rate_limit"], {"available": 3})

    def test_circuits(self) -> None:
        """The worst state of each provider's circuit, and of all, is shown."""
        opened = CIRCUIT | {"state": "open", "errors": 5, "retry_at": "soon"}
        one = view(circuit_breaker=CIRCUIT | {"providers": {"x": CIRCUIT, "y": CIRCUIT}})
        other = view(circuit_breaker=opened | {"providers": {"x": opened}})
        found = sums.agent_of([one, other])["circuit_breaker"]
        self.assertEqual((found["state"], found["retry_at"]), ("open", "soon"))
        self.assertEqual({name: one["state"] for name, one in found["providers"].items()}, {"x": "open", "y": "closed"})

    def test_all(self) -> None:
        """Agents that only one of them has met are shown as well, each once."""
        found = sums.agents_of([[view("a"), view("b", in_flight=1)], [view("b", in_flight=1), view("c")]])
        self.assertEqual([(one["id"], one["in_flight"]) for one in found], [("a", 0), ("b", 2), ("c", 0)])


class GatewayTests(SynchronousTestCase):
    """The gateway."""

    def test_draining(self) -> None:
        """It drains when all of them do, and is as old as the oldest of them."""
        serving = {"status": "ok", "store": "ok", "uptime_s": 1.0, "agents": 1, "in_flight": 2}
        draining = {"status": "draining", "store": "ok", "uptime_s": 9.0, "agents": 1, "in_flight": 1}
        found = sums.gateway_of([draining, serving], 4)
        self.assertEqual(found, {"status": "ok", "store": "ok", "uptime_s": 9.0, "agents": 4, "in_flight": 3})
        self.assertEqual(sums.gateway_of([draining, draining], 1)["status"], "draining")
        self.assertEqual(sums.gateway_of([serving, serving | {"store": "degraded"}], 1)["store"], "degraded")
