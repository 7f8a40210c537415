"""`agentgateway reload`."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.doubles import Scripted, problem

NOTHING = {"added": [], "changed": [], "removed": []}


class ReloadTests(SynchronousTestCase):
    """A new configuration for a running gateway."""

    def gateway(self, status, answer):
        """A gateway that answers so."""
        return Scripted(self, {("POST", "/api/reload"): (status, answer)})

    def test_changed(self):
        """What changed is told, and what waits for a restart."""
        changed = {
            "agents": {**NOTHING, "added": ["tester"]},
            "providers": NOTHING,
            "gateway": ["idle_timeout"],
            "needs_restart": ["store"],
        }
        result = self.gateway(200, changed).run("reload")
        wanted = "agents added: tester\nchanged: idle_timeout\nin force after a restart only: store\n"
        self.assertEqual((result.exit_code, result.output), (0, wanted))
        self.assertEqual(json.loads(self.gateway(200, changed).run("reload", "--json").output), changed)

    def test_nothing(self):
        """So is that nothing did."""
        result = self.gateway(200, {"agents": NOTHING, "gateway": [], "needs_restart": []}).run("reload")
        self.assertEqual(result.output, "nothing changed\n")

    def test_mistakes(self):
        """Mistakes come one a line, as `check` prints them."""
        mistakes = [{"line": 3, "message": "gateway.yaml:3: one"}, {"line": 4, "message": "gateway.yaml:4: two"}]
        gateway = self.gateway(
            422, problem("invalid_config", "gateway.yaml:3: one\ngateway.yaml:4: two\x1b", mistakes=mistakes)
        )
        result = gateway.run("reload")
        self.assertEqual((result.exit_code, result.stderr), (1, "gateway.yaml:3: one\ngateway.yaml:4: two\\x1b\n"))
        result = gateway.run("reload", "--json")
        self.assertEqual((result.exit_code, json.loads(result.stdout)["mistakes"]), (1, mistakes))
