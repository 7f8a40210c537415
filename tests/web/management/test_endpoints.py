"""What the endpoints answer."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.fleet import Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.windows import Calendar
from tests.web.management.doubles import CONFIG, Api


class StatusTests(SynchronousTestCase):
    """The gateway and its agents."""

    def test_status(self):
        """Status shows the gateway and every agent, with the fields the contract names."""
        status = Api(self).get("/api/status").json
        self.assertEqual([agent["id"] for agent in status["agents"]], ["writer", "coder"])
        self.assertEqual(status["gateway"]["agents"], 2)
        writer = status["agents"][0]
        self.assertEqual(writer["budget"]["max_cost_per_hour"], 5)
        self.assertEqual(writer["rate_limit"], {"limit": "10/min", "available": 10})
        self.assertEqual(writer["circuit_breaker"]["state"], "closed")

    def test_many_agents(self):
        """A fleet of a thousand is shown whole."""
        api = Api(self, CONFIG.replace("agents:", 'agents:\n  "*": {{}}'))
        for number in range(1000):
            api.live.fleet.find(f"agent-{number}", api.live.moment())
        self.assertEqual(len(api.get("/api/status").json["agents"]), 1002)

    def test_draining(self):
        """While the gateway stops, its health is 503, so that a load balancer looks elsewhere."""
        api = Api(self)
        api.live.draining = True
        reply = api.get("/health")
        self.assertEqual((reply.status, reply.json["status"]), (503, "draining"))

    def test_degraded(self):
        """While the store that it shares with others is away, its health says so; it serves all the same."""
        api = Api(self)
        self.assertNotIn("store", api.get("/health").json)  # it shares none
        link = Link()
        api.live.fleet = Fleet(api.live.config, Ledger(Calendar.of("UTC")), api.live.moment(), link=link)
        self.assertEqual(api.get("/health").json["store"], "ok")
        link.up = False
        reply = api.get("/health")
        self.assertEqual((reply.status, reply.json["status"], reply.json["store"]), (200, "ok", "degraded"))
