"""`agentgateway pause`."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.doubles import Scripted, agent, problem, status


class PauseTests(SynchronousTestCase):
    """Stopping an agent, and letting it go on."""

    def test_pause(self):
        """The agent is paused, for the reason given."""
        paused = agent(status="paused", pause_reason="loops")
        gateway = Scripted(self, {("POST", "/api/agents/writer/pause"): (200, paused)})
        result = gateway.run("pause", "writer", "--reason", "loops")
        self.assertEqual((result.exit_code, result.output), (0, "writer is paused: loops\n"))
        self.assertEqual(gateway.asked[0][3], b'{"reason": "loops"}')

    def test_resume(self):
        """-r resumes it."""
        gateway = Scripted(self, {("POST", "/api/agents/writer/resume"): (200, agent())})
        result = gateway.run("pause", "-r", "writer")
        self.assertEqual((result.exit_code, result.output), (0, "writer may call\n"))
        self.assertEqual(json.loads(gateway.run("pause", "-r", "writer", "--json").output), agent())

    def test_unknown(self):
        """An agent that is not there: the one with the nearest name is told."""
        answers = {
            ("POST", "/api/agents/wirter/pause"): (404, problem("unknown_agent", "no agent")),
            ("POST", "/api/agents/zzz/pause"): (404, problem("unknown_agent", "no agent")),
            ("GET", "/api/status"): (200, status(agent("coder"), agent())),
        }
        gateway = Scripted(self, answers)
        result = gateway.run("pause", "wirter")
        self.assertEqual((result.exit_code, result.stderr), (1, "no agent wirter: did you mean writer?\n"))
        self.assertEqual(gateway.run("pause", "zzz").stderr, "no agent zzz; there are coder, writer\n")

    def test_in_the_way(self):
        """A spent budget in the way is told as the gateway says it."""
        answers = {("POST", "/api/agents/writer/resume"): (422, problem("budget_exceeded", "the budget is spent"))}
        result = Scripted(self, answers).run("pause", "-r", "writer")
        self.assertEqual((result.exit_code, result.stderr), (1, "the budget is spent\n"))

    def test_odd_names(self):
        """A name with a slash asks for that agent and no other path."""
        gateway = Scripted(self, {("GET", "/api/status"): (200, status())})
        gateway.run("pause", "../../reload")
        self.assertEqual(gateway.asked[0][1], "/api/agents/..%2F..%2Freload/pause")
