"""`agentgateway budget`."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.doubles import Scripted, agent


class BudgetTests(SynchronousTestCase):
    """Caps."""

    def gateway(self):
        """A gateway with one agent."""
        budget = agent()["budget"]
        return Scripted(
            self,
            {
                ("GET", "/api/agents/writer"): (200, agent()),
                ("GET", "/api/budget/writer"): (200, budget),
                ("PUT", "/api/budget/writer"): (200, budget),
            },
        )

    def test_show(self):
        """Each cap, what is spent of it, when it resets, and what is left."""
        gateway = self.gateway()
        result = gateway.run("budget", "writer")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("hourly       $0.50 spent, of $5.00, resets at 2026-11-23 16:00 UTC", result.output)
        self.assertIn("daily       $12.35 spent, no cap", result.output)
        self.assertIn("$0.25 more is held by calls under way", result.output)
        self.assertIn("$4.25 remains", result.output)
        self.assertEqual([method for method, *_ in gateway.asked], ["GET"])

    def test_paused(self):
        """A paused agent is told as paused, with the reason."""
        paused = agent(status="paused", pause_reason="test")
        result = Scripted(self, {("GET", "/api/agents/writer"): (200, paused)}).run("budget", "writer")
        self.assertEqual(result.output.splitlines()[0], "writer: paused: test")
        self.assertEqual(self.gateway().run("budget", "writer").output.splitlines()[0], "writer: active")

    def test_change(self):
        """New caps go out exactly as they were typed; `none` lifts one."""
        gateway = self.gateway()
        result = gateway.run("budget", "writer", "--hourly", "$2.123456789", "--total", "none")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(json.loads(gateway.asked[0][3]), {"max_cost_per_hour": "2.123456789", "max_cost_total": None})

    def test_whose_caps(self):
        """Caps that an operator has set are told as such, for the file is silent about them."""
        self.assertNotIn("operator", self.gateway().run("budget", "writer").output)
        budget = agent()["budget"] | {"set_by": "operator"}
        gateway = Scripted(self, {("GET", "/api/agents/writer"): (200, agent() | {"budget": budget})})
        self.assertIn("an operator set these caps", gateway.run("budget", "writer").output)

    def test_the_file_s_again(self):
        """`--file` goes out alone, or with the caps that are to differ."""
        gateway = self.gateway()
        self.assertEqual(gateway.run("budget", "writer", "--file").exit_code, 0)
        self.assertEqual(json.loads(gateway.asked[0][3]), {"set_by": "file"})
        self.assertEqual(gateway.run("budget", "writer", "--file", "--total", "1").exit_code, 0)
        self.assertEqual(json.loads(gateway.asked[2][3]), {"set_by": "file", "max_cost_total": "1"})

    def test_json(self):
        """Programs get the API's answer."""
        self.assertEqual(json.loads(self.gateway().run("budget", "writer", "--json").output), agent()["budget"])

    def test_no_amount(self):
        """What is no amount is a usage error, and nothing is asked."""
        gateway = self.gateway()
        for text in ("-1", "lots", "1e3", "", "1.0000000001", "٣"):
            self.assertEqual(gateway.run("budget", "writer", "--daily", text).exit_code, 2, text)
        self.assertEqual(gateway.asked, [])
