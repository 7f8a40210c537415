"""`agentgateway dashboard`."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.dashboard import url
from agentgateway.cli.options import Common
from tests.cli.doubles import Scripted, run


class DashboardTests(SynchronousTestCase):
    """Where the dashboard is."""

    def file(self, text):
        """The path of a file of this text."""
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_with(self, text, *arguments):
        """The command with a file of this text."""
        return run("dashboard", "-c", self.file(text), *arguments)

    def test_url(self):
        """It is the file's, as somebody on this machine would type it."""
        for text, wanted in (
            ("agents: {}", "http://127.0.0.1:4040/"),
            ("dashboard: {port: 5000, host: 10.0.0.7}", "http://10.0.0.7:5000/"),
            ('dashboard: {host: "::"}', "http://[::1]:4040/"),
        ):
            self.assertEqual(url(Common(self.file(text), None, False)), wanted)

    def test_elsewhere(self):
        """For a gateway elsewhere it is there."""
        common = Common(self.file("agents: {}"), "https://gateway.example:8080", False)
        self.assertEqual(url(common), "http://gateway.example:4040/")

    def test_running(self):
        """Where it answers, its URL is all that is printed."""
        board = Scripted(self, {("GET", "/session"): (200, {"view": True, "act": False})})
        text = f"dashboard: {{port: {board.port}}}"
        result = self.run_with(text)
        self.assertEqual((result.exit_code, result.output), (0, board.url + "/\n"))
        self.assertEqual(json.loads(self.run_with(text, "--json").output), {"url": board.url + "/"})

    def test_not_running(self):
        """Where nothing answers, or something else, the URL is printed, and that on stderr; the exit status is 3."""
        other = Scripted(self, {}).port
        for port, told in ((1, "no gateway at http://127.0.0.1:1: "), (other, "what answers at")):
            for option in ("--print", "--json"):
                result = self.run_with(f"dashboard: {{port: {port}}}", option)
                self.assertEqual((result.exit_code, result.stderr[: len(told)]), (3, told))
                self.assertIn(f"http://127.0.0.1:{port}/", result.stdout)

    def test_none(self):
        """Where there is none, that is said."""
        result = self.run_with("dashboard: false")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("switched off", result.stderr)
        self.assertEqual(self.run_with("dashboard: {port: 0}").exit_code, 1)
        self.assertEqual(self.run_with("dashboard: {port: x}").exit_code, 1)
