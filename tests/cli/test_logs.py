"""`agentgateway logs`."""

import json

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.logs import line
from agentgateway.domain.audit import encode
from tests.cli.doubles import Scripted, run
from tests.web.management.doubles import record


def told(*records):
    """Records as the API sends them, one a line."""
    return b"".join(encode(one) + b"\n" for one in records)


class LogsTests(SynchronousTestCase):
    """Audit records in a terminal."""

    def gateway(self, *records):
        """A gateway with these."""
        return Scripted(self, {("GET", "/api/logs"): (200, told(*records))})

    def test_lines(self):
        """A line a record, newest last."""
        result = self.gateway(record(agent="coder"), record(cost_usd=0.0012)).run("logs")
        self.assertEqual(result.exit_code, 0, result.output)
        first, second = result.output.splitlines()
        self.assertIn("coder", first)
        self.assertRegex(second, r"^2027-01-15 08:00:00  writer +200 ok +claude  10 in, 5 out  \$0\.0012  812 ms$")

    def test_none(self):
        """Where there is nothing to show that is said, apart from the output; programs get no lines, and no word."""
        result = self.gateway().run("logs")
        self.assertEqual((result.exit_code, result.stdout, result.stderr), (0, "", "no records\n"))
        self.assertEqual(self.gateway().run("logs", "--json").output, "")
        self.assertEqual(self.gateway(record()).run("logs").stderr, "")

    def test_filters(self):
        """Filters are those of the API."""
        gateway = self.gateway()
        gateway.run(
            "logs", "--agent", "a b", "--status", "429", "--outcome", "refused", "--since", "2026-11-23T15:00+01:00"
        )
        _, _, query, _, _ = gateway.asked[0]
        wanted = "agent=a+b&status=429&outcome=refused&since=2026-11-23T14%3A00%3A00%2B00%3A00&format=jsonl&limit=20"
        self.assertEqual(query, wanted)

    def test_ago(self):
        """A time may be so long ago."""
        gateway = self.gateway()
        for text, status in (("15m", 0), ("2h", 0), ("1d", 0), ("90s", 0), ("15", 0), ("soon", 2), ("1w", 2)):
            self.assertEqual(gateway.run("logs", "--since", text).exit_code, status if text != "15" else 2, text)

    def test_json(self):
        """Programs get one object a line, in plain ASCII."""
        result = self.gateway(record(), record(reason="\x9b2J ü")).run("logs", "--json")
        self.assertTrue(result.output.isascii())
        found = [json.loads(text) for text in result.output.splitlines()]
        self.assertEqual(found[1], json.loads(msgspec.json.encode(record(reason="\x9b2J ü"))))

    def test_no_end(self):
        """To follow until some time is a usage error."""
        result = run("logs", "-f", "--until", "3h")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("--follow has no end", result.stderr)

    def test_follow(self):
        """Following goes on until the gateway stops, and then says so."""
        gateway = self.gateway(record())
        result = gateway.run("logs", "-f")
        self.assertEqual((result.exit_code, result.stderr), (3, "the gateway has stopped\n"))
        self.assertIn("limit=10&follow=true", gateway.asked[0][2])
        self.assertIn("writer", result.stdout)

    def test_control_characters(self):
        """Whatever a caller named itself, its terminal codes stay text."""
        text = line(json.loads(encode(record(agent="\x1b[2Jx", model="\x9bm", reason="\r\n\x07", path="\x1b"))))
        for plain in ("\\x1b[2Jx", "\\x9bm", "\\r\\n\\x07"):
            self.assertIn(plain, text)
        for code in ("\x1b[2J", "\x9b", "\r", "\n", "\x07"):
            self.assertNotIn(code, text)

    def test_changes(self):
        """What an operator changed is among them, and reads as that."""
        change = record(
            provider=None, model=None, usage="none", path="/api/reload", reason="admin at ::1: nothing changed"
        )
        self.assertIn("POST /api/reload", line(json.loads(encode(change))))

    def test_colours(self):
        """On a terminal the outcome has a colour."""
        colours = {one: line(json.loads(encode(record(outcome=one)))) for one in ("ok", "refused", "truncated")}
        self.assertIn("\x1b[32m", colours["ok"])
        self.assertIn("\x1b[33m", colours["refused"])
        self.assertIn("\x1b[31m", colours["truncated"])
