"""`agentgateway check`."""

import json
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.main import main

RIGHT = """
gateway: {host: 127.0.0.1}
agents: {"*": {}, writer: {key: do-not-print-me}, reader: {}}
providers: {mine: {api: openai, base_url: "https://x", api_key: do-not-print-me}}
policies: [{name: p, condition: "error_rate > 0.5", action: pause}]
dashboard: false
"""
WRONG = 'agents:\n  writer:\n    rate_limit: "50/fortnight"\n    max_concurrency: -1\n'


class CheckTests(SynchronousTestCase):
    """Checking a file before using it."""

    def check(self, text, *options):
        """What the command makes of a file with this text."""
        self.path = self.mktemp()
        Path(self.path).write_text(text)
        return CliRunner().invoke(main, ["check", "-c", self.path, *options])

    def test_right(self):
        """A right file gives a summary, exit status 0, and no secret."""
        result = self.check(RIGHT)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertEqual(
            result.stdout,
            f"{self.path}: ok\n"
            "  agents     2 named (writer, reader), others by the template\n"
            "  providers  15, from this file: mine\n"
            "  policies   p\n"
            "  listening  tcp:8080:interface=127.0.0.1\n"
            "  dashboard  off\n"
            "  audit log  in memory only\n"
            "  store      sqlite:.agentgateway/ledger.sqlite\n",
        )

    def test_shared(self):
        """What several processes share is told without what the URLs say, and how many processes there are."""
        shared = (
            "store: {live: 'redis://:do-not-print-me@h', history: 'postgresql://u:do-not-print-me@h/d'}\nworkers: 3\n"
        )
        result = self.check(shared)
        self.assertEqual(result.exit_code, 0)
        self.assertIn(
            "ledger.sqlite, and what Redis and PostgreSQL share\n  workers    3, worker 1 with ", result.stdout
        )
        self.assertNotIn("do-not-print-me", result.stdout + self.check(shared, "--json").stdout)

    def test_workers(self):
        """Where each worker keeps books and log is told."""
        shared = "gateway: {state_dir: /s}\nstore: {live: 'redis://h', history: 'postgresql://h/d'}\nworkers: "
        said = self.check(shared + "3").stdout
        self.assertIn("  audit log  /s/audit.jsonl\n  store      sqlite:/s/ledger.sqlite, and what", said)
        own = "/s/audit-1.jsonl and sqlite:/s/worker-1/ledger.sqlite"
        self.assertIn(f"  workers    3, worker 1 with {own}, and so on\n", said)
        self.assertIn(f"  workers    2, worker 1 with {own}\n", self.check(shared + "2").stdout)
        self.assertIn("  workers    1\n", self.check(shared + "1").stdout)
        books = json.loads(self.check(shared + "3", "--json").stdout)["books"]
        self.assertEqual(books[0], {"store": "sqlite:/s/ledger.sqlite", "audit": "/s/audit.jsonl"})
        self.assertEqual(books[2], {"store": "sqlite:/s/worker-2/ledger.sqlite", "audit": "/s/audit-2.jsonl"})

    def test_nothing_in_it(self):
        """An empty file is right, and the summary says that it lets nobody in."""
        result = self.check("")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("none named, others refused", result.stdout)
        self.assertIn("warning: every call will be refused", result.stderr)

    def test_many(self):
        """A large fleet is counted, not listed."""
        result = self.check("agents:\n" + "".join(f"  a{i}: {{}}\n" for i in range(20)))
        self.assertIn("20 named (a0, a1, a2, a3, a4, a5, a6, a7 and 12 more)", result.stdout)

    def test_warnings(self):
        """What is right but dangerous is a warning on stderr, for programs a text in `warnings`; the exit status is 0."""
        open_to_all = RIGHT.replace("127.0.0.1", "0.0.0.0")
        result = self.check(open_to_all)
        self.assertEqual(result.exit_code, 0)
        self.assertRegex(
            result.stderr, "^warning: callers on other machines can call as any agent without a `key`.*\n$"
        )
        [said] = json.loads(self.check(open_to_all, "--json").stdout)["warnings"]
        self.assertEqual(result.stderr, f"warning: {said}\n")
        self.assertEqual(json.loads(self.check(RIGHT, "--json").stdout)["warnings"], [])

    def test_wrong(self):
        """Every mistake is a line on stderr; the exit status is 1."""
        result = self.check(WRONG)
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(
            result.stderr,
            f'{self.path}:3: agents.writer.rate_limit: expected "<count>/<unit>", got "50/fortnight"\n'
            f"{self.path}:4: agents.writer.max_concurrency: expected a whole number of 1 or more, got -1\n",
        )

    def test_json(self):
        """Programs get the same as JSON, with the same exit statuses."""
        right, wrong = self.check(RIGHT, "--json"), self.check(WRONG, "--json")
        self.assertEqual((right.exit_code, wrong.exit_code), (0, 1))
        self.assertEqual(json.loads(right.stdout)["agents"], ["*", "writer", "reader"])
        self.assertNotIn("print-me", right.stdout)
        first = json.loads(wrong.stdout)["mistakes"][0]
        self.assertEqual((first["line"], first["path"]), (3, "agents.writer.rate_limit"))
        self.assertEqual(first["got"], '"50/fortnight"')

    def test_unreadable(self):
        """A file that cannot be read is one clear line and exit status 1."""
        result = CliRunner().invoke(main, ["check", "-c", "/nowhere/gateway.yaml"])
        self.assertEqual(result.exit_code, 1)
        line = "/nowhere/gateway.yaml: expected a readable file, got No such file or directory\n"
        self.assertEqual(result.stderr, line)

    def test_usage(self):
        """An option it does not have is a usage error: exit status 2."""
        self.assertEqual(self.check("", "--strict").exit_code, 2)
