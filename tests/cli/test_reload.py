"""`agentgateway reload`."""

import json
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.doubles import Scripted, problem, run

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

    def test_kept_caps(self):
        """Agents whose caps in the file are not in force are named, and how to change that."""
        changed = {"agents": {**NOTHING, "changed": ["tester"]}, "kept_caps": ["tester"]}
        output = self.gateway(200, changed).run("reload").output
        self.assertRegex(output, r"caps as an operator set them.*budget AGENT --file\): tester\n$")

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


class FileTests(SynchronousTestCase):
    """-c names the file that is meant."""

    def reloaded(self, its, *arguments, url=False):
        """The result against a gateway that runs with the file `its`, and whether that was told to reload."""
        answers = {
            ("GET", "/api/status"): (200, {"gateway": {"config": its}, "agents": []}),
            ("POST", "/api/reload"): (200, {"agents": NOTHING, "gateway": [], "needs_restart": []}),
        }
        gateway = Scripted(self, answers)
        Path(self.file).write_text(f"gateway: {{host: 127.0.0.1, port: {gateway.port}}}\n")
        result = gateway.run("reload", *arguments) if url else run("reload", *arguments)
        return result, ("POST", "/api/reload") in [asked[:2] for asked in gateway.asked]

    def setUp(self):
        """A folder with a file in it, and another file."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.file, self.other = str(folder / "other.yaml"), str(folder / "gateway.yaml")
        Path(self.other).touch()

    def test_another(self):
        """Where the gateway runs with another file, that is said, and nothing reloaded."""
        for its in (self.other, "gateway.yaml", "/etc/agentgateway/gateway.yaml"):
            result, done = self.reloaded(its, "-c", self.file)
            told = f"the gateway runs with {its}, not {self.file}: nothing is reloaded\n"
            self.assertEqual((result.exit_code, result.stdout, result.stderr, done), (1, "", told, False))

    def test_the_same(self):
        """The same one is reloaded, however it is written, and one that only the gateway can see."""
        for its in (self.file, os.path.relpath(self.file), "other.yaml", "/in/a/container/other.yaml"):
            result, done = self.reloaded(its, "-c", self.file)
            self.assertEqual((result.exit_code, done), (0, True), result.output)

    def test_not_meant(self):
        """With a URL, -c says where the token is."""
        _, done = self.reloaded("/etc/gateway.yaml", "-c", self.file, url=True)
        self.assertTrue(done)
