"""Metrics as Prometheus reads them."""

import attrs
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.breaker import Breaker
from agentgateway.domain.link import Link
from agentgateway.ops.metrics import Metrics
from tests.web.management.doubles import CONFIG, Api, record

OPEN_HOUSE = CONFIG.replace("agents:", 'agents:\n  "*": {{budget: {{max_cost_per_hour: 5}}}}')


def samples(text):
    """Values by name and labels; fails where Prometheus would not read it, or a family comes twice."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


class MetricsTests(SynchronousTestCase):
    """Through the API."""

    def found(self, api):
        """What Prometheus gets."""
        reply = api.get("/metrics")
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.header("content-type").startswith("text/plain; version=0.0.4"))
        return samples(reply.body.decode())

    def test_calls(self):
        """Calls, refusals, tokens, cost and times are there, with agent and provider."""
        api = Api(self)
        api.happened(cost_usd=0.25)
        api.happened(outcome="refused", provider=None, reason="rate_limited", ttfb_ms=None)
        found = self.found(api)
        who = (("agent", "writer"), ("provider", "anthropic"))
        self.assertEqual(found["agentgateway_calls_total", who[0], ("outcome", "ok"), who[1]], 1)
        self.assertEqual(found["agentgateway_refusals_total", who[0], ("reason", "rate_limited")], 1)
        self.assertEqual(found["agentgateway_tokens_total", who[0], ("kind", "input"), who[1]], 10)
        self.assertEqual(found["agentgateway_cost_dollars_total", *who], 0.25)
        self.assertEqual(found["agentgateway_call_seconds_count", who[1]], 1)
        self.assertEqual(found["agentgateway_first_byte_seconds_sum", who[1]], 0.3)

    def test_state(self):
        """So is how things stand: pauses, budgets, circuits, streams, connections, timers, and the reactor's lag."""
        api = Api(self)
        api.reactor.callLater(60, lambda: None)
        writer = api.live.fleet.get("writer")
        writer.in_flight = 3
        writer.breakers["anthropic"] = breaker = Breaker.closed(writer.config.circuit_breaker)
        for _ in range(5):
            breaker.leave(breaker.enter(0.0), False, 0.0)
        api.ask("POST", "/api/agents/writer/pause")
        found = self.found(api)
        agent = ("agent", "writer")
        self.assertEqual(found["agentgateway_calls_in_flight", agent], 3)
        self.assertEqual(found["agentgateway_agent_paused", agent], 1)
        self.assertEqual(found["agentgateway_circuit_state", agent, ("provider", "anthropic")], 2)
        self.assertEqual(found["agentgateway_budget_remaining_dollars", agent, ("window", "hour")], 5)
        self.assertEqual(found["agentgateway_upstream_connections", ("provider", "openai"), ("state", "open")], 0)
        self.assertEqual((found["agentgateway_open_streams",], found["agentgateway_overloaded",]), (0, 0))
        self.assertGreaterEqual(found["agentgateway_reactor_lag_seconds",], 0)
        self.assertEqual(found["agentgateway_timers",], len(api.reactor.getDelayedCalls()))
        self.assertGreater(found["process_resident_memory_bytes",], 0)

    def test_fleet(self):
        """A process that serves a fleet with others says whether it can borrow, and how many they are."""
        api = Api(self)
        self.assertNotIn(("agentgateway_shared_store_away",), self.found(api))
        sources = api.service.desk.metrics.sources
        api.service.desk.metrics.sources = attrs.evolve(sources, link=Link(up=False, members=3))
        found = self.found(api)
        self.assertEqual((found["agentgateway_shared_store_away",], found["agentgateway_fleet_processes",]), (1, 3))

    def test_history(self):
        """A process whose records go to a shared history says for how long they wait."""
        api = Api(self)
        self.assertNotIn(("agentgateway_history_waiting_seconds",), self.found(api))
        sources = api.service.desk.metrics.sources
        api.service.desk.metrics.sources = attrs.evolve(sources, waits=lambda: 2.5)
        self.assertEqual(self.found(api)["agentgateway_history_waiting_seconds",], 2.5)

    def test_evil_names(self):
        """Whatever a label holds, the text can be read."""
        api = Api(self)
        api.happened(outcome="refused", provider=None, reason='a"b\\c\nd', ttfb_ms=None)
        self.assertIn(("agentgateway_refusals_total", ("agent", "writer"), ("reason", 'a"b\\c\nd')), self.found(api))

    def test_slices(self):
        """A thousand agents are written in many turns, with calls coming in between, and it is still one text."""
        api = Api(self, OPEN_HOUSE)
        for number in range(1000):
            api.live.fleet.find(f"agent-{number}", api.live.moment())
            api.service.desk.metrics.counts.add(record(agent=f"agent-{number}"))
        turns = []

        def rest():
            turns.append(1)
            api.service.desk.metrics.counts.add(
                record(agent=f"agent-{len(turns)}", outcome="cut", provider=f"p{len(turns)}")
            )
            return succeed(None)

        metrics = Metrics(attrs.evolve(api.service.desk.metrics.sources, rest=rest))
        metrics.counts = api.service.desk.metrics.counts
        text = self.successResultOf(Deferred.fromCoroutine(metrics.render()))
        self.assertGreater(len(turns), 100)
        self.assertGreater(len(samples(text.decode())), 5000)
