"""`agentgateway dashboard`."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.doubles import run


class DashboardTests(SynchronousTestCase):
    """Where the dashboard is."""

    def run_with(self, text, *arguments):
        """The command with a file of this text."""
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return run("dashboard", "-c", path, *arguments)

    def test_url(self):
        """The URL is printed: the file's, as somebody on this machine would type it."""
        for text, url in (
            ("agents: {}", "http://127.0.0.1:4040/"),
            ("dashboard: {port: 5000, host: 10.0.0.7}", "http://10.0.0.7:5000/"),
            ('dashboard: {host: "::"}', "http://[::1]:4040/"),
        ):
            result = self.run_with(text)
            self.assertEqual((result.exit_code, result.output), (0, url + "\n"))
        self.assertEqual(json.loads(self.run_with("agents: {}", "--json").output), {"url": "http://127.0.0.1:4040/"})

    def test_elsewhere(self):
        """For a gateway elsewhere it is there."""
        result = self.run_with("agents: {}", "--url", "https://gateway.example:8080")
        self.assertEqual(result.output, "http://gateway.example:4040/\n")

    def test_none(self):
        """Where there is none, that is said."""
        result = self.run_with("dashboard: false")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("switched off", result.stderr)
        self.assertEqual(self.run_with("dashboard: {port: 0}").exit_code, 1)
        self.assertEqual(self.run_with("dashboard: {port: x}").exit_code, 1)
