"""`agentgateway status`."""

import io
import json
import re

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.status import _COLUMNS, shown
from tests.cli.doubles import Scripted, agent, status


class StatusTests(SynchronousTestCase):
    """The fleet at a glance."""

    def gateway(self, *agents):
        """A gateway with these."""
        return Scripted(self, {("GET", "/api/status"): (200, status(*agents))})

    def test_table(self):
        """A row an agent: how it stands and what it spends, of how much."""
        result = self.gateway(agent(), agent("coder", status="paused", pause_reason="loops")).run("status")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("agentgateway 1.2.3: ok, up 2 h, 2 calls in flight, $12.35 today", result.output)
        self.assertRegex(
            result.output, r"writer +active +claude-sonnet-4-5 +\$0\.50 / \$5\.00 +\$12\.35 +\$100\.00 +1,200 +25%"
        )
        self.assertIn("coder: loops", result.output)

    def test_degraded(self):
        """While what several processes share is away, the first line says so."""
        answer = status(agent())
        answer["gateway"]["store"] = "degraded"
        result = Scripted(self, {("GET", "/api/status"): (200, answer)}).run("status")
        self.assertIn("agentgateway 1.2.3: ok, the shared store is away, up 2 h", result.output)

    def test_json(self):
        """Programs get the API's answer."""
        result = self.gateway(agent()).run("status", "--json")
        self.assertEqual(json.loads(result.output), status(agent()))

    def test_circuit(self):
        """An open circuit shows."""
        broken = {"state": "half_open", "errors": 5, "retry_at": None, "providers": {}}
        result = self.gateway(agent(circuit_breaker=broken)).run("status")
        self.assertIn("active, circuit half open", result.output)

    def test_control_characters(self):
        """What strangers put into names does not reach the terminal."""
        result = self.gateway(agent(model="x\x1b[2J\x9b", pause_reason="\x1b]0;evil\x07 [red]")).run("status")
        self.assertNotIn("\x1b]", result.output)
        self.assertNotIn("\x1b[2J", result.output)
        self.assertNotIn("\x9b", result.output)
        self.assertIn("\\x1b]0;evil\\x07 [red]", result.output)

    def test_usage(self):
        """A wrong option is a usage error."""
        self.assertEqual(self.gateway().run("status", "--wach").exit_code, 2)

    def test_narrow(self):
        """Where there is little room other columns go: an agent's name and its caps are shown whole."""
        caps = agent()["budget"] | {"max_cost_per_hour": 10.0, "max_cost_per_day": 100.0}
        told = status(agent("reviewer-of-pull-requests", budget=caps), agent())
        for width, columns in ((160, _COLUMNS), (80, ("agent", "status", "this hour", "today"))):
            said = self.drawn(told, width)
            self.assertRegex(said, r"reviewer-of-pull-requests +active .*\$0\.50 / \$10\.00 +\$12\.35 / \$100\.00")
            self.assertEqual(re.split(" {2,}", said.splitlines()[2].strip()), list(columns))
        said = self.drawn(told, 45)  # no room for even these: they fold
        self.assertLessEqual(max(map(len, said.splitlines())), 45)
        self.assertNotIn("…", said)
        self.assertIn("$100.00", said)

    def drawn(self, told, width):
        """The table as a terminal of this width has it."""
        console = Console(width=width, file=io.StringIO())
        console.print(shown(told, width))
        return console.file.getvalue()
