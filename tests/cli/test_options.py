"""What the commands for a running gateway have in common."""

import click
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.main import COMMANDS, main
from tests.cli.doubles import Scripted, run, status


class OptionTests(SynchronousTestCase):
    """-c, --url, --json, help and completion."""

    def test_help(self):
        """Every command's help has an example."""
        for name in set(COMMANDS) - {"check", "demo"}:
            result = run(name, "--help")
            self.assertEqual(result.exit_code, 0)
            self.assertIn("Examples:", result.output, name)

    def test_environment(self):
        """AGENTGATEWAY_URL says where the gateway is, as --url does."""
        gateway = Scripted(self, {("GET", "/api/status"): (200, status())})
        self.assertEqual(run("status", AGENTGATEWAY_URL=gateway.url).exit_code, 0)

    def test_no_file(self):
        """Without a file and without a URL, the error says what to do."""
        result = run("status", "-c", "no-such-file.yaml")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("--url", result.stderr)

    def test_completion(self):
        """The shell completes an agent's id from the file."""
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write("agents: {writer: {}, worker: {}, coder: {}}")
        command = main.get_command(click.Context(main), "pause")
        context = command.make_context("pause", ["-c", path], resilient_parsing=True)
        [argument] = [param for param in command.params if param.name == "agent"]
        self.assertEqual([item.value for item in argument.shell_complete(context, "w")], ["writer", "worker"])
