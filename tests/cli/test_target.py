"""Finding the gateway and its token."""

import os

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.target import NoTarget, WrongUrl, agents, find
from agentgateway.errors import ConfigError
from tests.cli.doubles import run


class TargetTests(SynchronousTestCase):
    """From the file, the environment and the command line."""

    def setUp(self):
        """A folder for the file and the state."""
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)

    def file(self, text):
        """The path of a configuration file with this text, its state folder beside it."""
        path = f"{self.folder}/gateway.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("STATE", self.folder))
        return path

    def token(self, text):
        """The gateway made this token at its first start."""
        with open(f"{self.folder}/admin-token", "w", encoding="utf-8") as file:
            file.write(text + "\n")

    def test_places(self):
        """Where it listens, as somebody on this machine reaches it."""
        for text, url, socket in (
            ("agents: {}", "http://127.0.0.1:8080", None),
            ("gateway: {port: 99, host: 10.0.0.7}", "http://10.0.0.7:99", None),
            ('gateway: {port: 99, host: "::"}', "http://[::1]:99", None),
            ('gateway: {listen: ["tcp:9000"]}', "http://127.0.0.1:9000", None),
            ('gateway: {listen: ["ssl:443:privateKey=k.pem:certKey=c.pem"]}', "https://127.0.0.1:443", None),
            ('gateway: {listen: ["unix:/run/a.sock"]}', "http://localhost", "/run/a.sock"),
            ('gateway: {listen: ["systemd:domain=INET:index=0", "tcp:9001"]}', "http://127.0.0.1:9001", None),
        ):
            target = find(self.file(text), None, {})
            self.assertEqual((target.url, target.socket), (url, socket), text)

    def test_nowhere(self):
        """Where the file does not say, that is said, with what to do."""
        for listen in ("systemd:domain=INET:index=0", "tcp:0"):
            error = self.assertRaises(NoTarget, find, self.file(f'gateway: {{listen: ["{listen}"]}}'), None, {})
            self.assertIn("--url", str(error))
        self.assertRaises(NoTarget, find, "none.yaml", "ftp://x", {})

    def test_no_file(self):
        """Without a file the error says how to do without one."""
        error = self.assertRaises(ConfigError, find, f"{self.folder}/none.yaml", None, {})
        self.assertIn("--url", str(error))

    def test_others_mistakes(self):
        """Mistakes elsewhere in the file, and keys of providers this shell does not have, are in nobody's way."""
        text = (
            "gateway: {port: 99}\nproviders: {openai: {api_key: env:NOT_HERE}}\nagents: {a: {rate_limit: lots}}\nx: 1"
        )
        self.assertEqual(find(self.file(text), None, {}).url, "http://127.0.0.1:99")
        self.assertRaises(ConfigError, find, self.file("gateway: {port: x}"), None, {})
        self.assertRaises(ConfigError, find, self.file("gateway: ["), None, {})

    def test_token(self):
        """The token: of the environment, of the file, of the state folder."""
        path = self.file("gateway: {state_dir: STATE}")
        self.assertIsNone(find(path, None, {}).token)
        self.token("made")
        found = find(path, None, {})
        self.assertEqual((found.token, found.source), ("made", f"{self.folder}/admin-token"))
        self.assertNotIn("made", repr(found))
        self.assertEqual(find(path, None, {"AGENTGATEWAY_ADMIN_TOKEN": "mine"}).token, "mine")
        path = self.file("gateway: {state_dir: STATE, admin_token: env:SOME}")
        self.assertEqual(find(path, None, {"SOME": "configured"}).token, "configured")
        self.assertEqual(find(path, None, {}).token, "made")

    def test_token_elsewhere(self):
        """The token of this machine's gateway is never sent to another one."""
        path = self.file("gateway: {state_dir: STATE}")
        self.token("made")
        self.assertIsNone(find(path, "https://gateway.example", {}).token)
        self.assertEqual(find(path, "https://gateway.example", {"AGENTGATEWAY_ADMIN_TOKEN": "t"}).token, "t")
        self.assertEqual(find(path, "localhost:8080", {}).token, "made")

    def test_url(self):
        """A URL may lack its scheme, and end with a slash."""
        self.assertEqual(find("none.yaml", "gateway.example/", {}).url, "http://gateway.example")
        self.assertEqual(find("none.yaml", "https://[::1]:9", {}).url, "https://[::1]:9")

    def test_wrong_url(self):
        """A path, a query or a fragment would lead elsewhere than to the gateway's API: that is a usage error."""
        for url in ("http://h:1/x", "h/x/", "http://h?", "http://h/#a", "http://h:99999", "http://[::1", "ftp://h"):
            error = self.assertRaises(WrongUrl, find, "none.yaml", url, {})
            self.assertEqual((error.exit_status, str(error).count("\n")), (2, 0))
        for command in ("status", "dashboard"):
            result = run(command, "-c", self.file(""), "--url", "http://127.0.0.1:1/x")
            told = "expected a URL such as http://127.0.0.1:8080, without path, query and fragment, got"
            self.assertEqual((result.exit_code, result.stderr), (2, f"{told} 'http://127.0.0.1:1/x'\n"))

    def test_agents(self):
        """The shell completes the ids in the file; without one, none."""
        self.assertEqual(agents(self.file('agents: {"*": {}, writer: {}, coder: {}}')), ["writer", "coder"])
        self.assertEqual(agents("none.yaml"), [])
        self.assertEqual(agents(self.file("agents: [")), [])
