"""What a gateway.yaml amounts to once it is read."""

import hashlib
import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config import schema
from agentgateway.config.builtin import BUILTIN
from agentgateway.config.load import load, parse
from agentgateway.errors import ConfigError
from tests.certificates import self_signed

SECRET = "sk-do-not-print-me"
ENVIRON = {
    "AGENTGATEWAY_ADMIN_TOKEN": "token",
    "OPENAI_API_KEY": SECRET,
    "ANTHROPIC_API_KEY": SECRET,
    "WRITER_GATEWAY_KEY": "writer-key",
    "ALERT_WEBHOOK": "https://hooks.example.com/T0/B0",
}

FULL = """
gateway: {port: 9000, host: 0.0.0.0, timezone: Europe/Berlin, loopback_reads: false, drain_timeout: 1.5, state_dir: /s}
agents:
  "*": {tags: [guest]}
  writer:
    model: claude-haiku-4-5
    provider: groq
    api_key: env:OPENAI_API_KEY
    key: writer-key
    budget: {max_cost_per_hour: 5.00, max_cost_per_day: "20", max_cost_total: 0.000000001,
             enforcement: hard, warn_at: [1, 0.5]}
    rate_limit: "100/min"
    token_limit: 200000/hour
    max_concurrency: 8
    circuit_breaker: {error_threshold: 7, reset_timeout: 30_000, half_open_requests: 1, window: 1000}
    fallback: [openrouter, mine]
    tags: [a, "2"]
providers:
  mine: {api: openai, base_url: "https://llm.example.com:8443/v2/", on_disconnect: drain, silence_timeout: 5}
  groq: {api_key: env:ANTHROPIC_API_KEY}
policies:
  - {name: slow, condition: "cost_this_hour > 4", action: throttle, params: {rate: "10/min"}, agents: [a]}
  - {name: tell, condition: "error_rate > 0.5", action: alert, params: {webhook: "env:ALERT_WEBHOOK", cooldown: 0}}
prices:
  big: {input: 3.0, output: 15, cache_read: 0.3}
unpriced_models: refuse
dashboard: {port: 0, host: "::1"}
audit: {log_file: a.jsonl, max_entries: 5}
admin: {manhole: "unix:m.sock"}
"""


class RightTests(SynchronousTestCase):
    """Files that are right."""

    def test_empty(self):
        """An empty file is valid: built-in providers, everything at its default, no agent known."""
        config = parse("", "gateway.yaml", {})
        self.assertEqual(config, schema.Config(providers=BUILTIN))

    def test_empty_sections(self):
        """A section whose keys are all commented out counts as not written."""
        text = "gateway:\nagents:\n  a:\nproviders:\npolicies:\ndashboard:\naudit:\n"
        self.assertEqual(parse(text, "gateway.yaml", {}).agents, {"a": schema.Agent("a")})

    def test_agent(self):
        """Every key of an agent is read, money exactly and limits in their units."""
        agent = parse(FULL, "gateway.yaml", ENVIRON).agents["writer"]
        expected = schema.Agent(
            id="writer",
            model="claude-haiku-4-5",
            provider="groq",
            api_key=schema.Secret(SECRET, "env:OPENAI_API_KEY"),
            key_sha256=hashlib.sha256(b"writer-key").digest(),
            budget=schema.Budget(5 * 10**9, 20 * 10**9, 1, "hard", (0.5, 1.0)),
            rate_limit=schema.Rate(100, 60),
            token_limit=schema.Rate(200_000, 3600),
            max_concurrency=8,
            circuit_breaker=schema.CircuitBreaker(7, 30_000, 1, 1000),
            fallback=("openrouter", "mine"),
            tags=("a", "2"),
        )
        self.assertEqual(agent, expected)

    def test_providers(self):
        """A provider named like a built-in one inherits what it leaves out; others stand beside the built-in ones."""
        providers = parse(FULL, "gateway.yaml", ENVIRON).providers
        self.assertEqual(providers["groq"].base_url, "https://api.groq.com/openai")
        self.assertEqual(providers["groq"].api_key, schema.Secret(SECRET, "env:ANTHROPIC_API_KEY"))
        mine = schema.Provider(
            "mine", "openai", "https://llm.example.com:8443/v2", on_disconnect="drain", silence_timeout=5.0
        )
        self.assertEqual(providers["mine"], mine)
        self.assertEqual(set(providers), {*BUILTIN, "mine"})

    def test_policies(self):
        """Parameters of actions arrive read: a rate as a rate, a webhook resolved."""
        slow, tell = parse(FULL, "gateway.yaml", ENVIRON).policies
        self.assertEqual(slow.params, {"rate": schema.Rate(10, 60)})
        self.assertEqual(slow.agents, ("a",))
        self.assertEqual(tell.params, {"webhook": "https://hooks.example.com/T0/B0", "cooldown": 0.0})

    def test_other_sections(self):
        """Gateway, prices, dashboard, audit, admin and store say what the file says."""
        config = parse(FULL, "gateway.yaml", ENVIRON)
        gateway = schema.Gateway(
            ("tcp:9000:interface=0.0.0.0",), "/s", timezone="Europe/Berlin", loopback_reads=False, drain_timeout=1.5
        )
        self.assertEqual(config.gateway, gateway)
        self.assertEqual(config.prices, {"big": schema.Price(3 * 10**9, 15 * 10**9, 3 * 10**8)})
        self.assertEqual(config.unpriced_models, "refuse")
        self.assertEqual(config.dashboard, schema.Dashboard(0, "::1"))
        self.assertEqual(config.audit, schema.Audit("a.jsonl", 5))
        self.assertEqual(config.admin, schema.Admin("unix:m.sock:mode=600"))
        self.assertEqual(config.store, "sqlite:/s/ledger.sqlite")

    def test_words_of_old_yaml(self):
        """`no` is off where a switch stands and a word where text stands; numbers may be grouped."""
        text = "dashboard: no\nagents: {no: {model: 12:30, tags: [on]}}\ngateway: {max_body_bytes: 1_000_000}"
        config = parse(text, "gateway.yaml", {})
        self.assertIsNone(config.dashboard)
        self.assertEqual(config.agents["no"], schema.Agent("no", model="12:30", tags=("on",)))
        self.assertEqual(config.gateway.max_body_bytes, 1_000_000)

    def test_state_directory(self):
        """Under systemd the state directory is the unit's, unless the file names one; the ledger goes along."""
        environ = {"STATE_DIRECTORY": "/var/lib/gw:/other"}
        self.assertEqual(parse("", "f", environ).gateway.state_dir, "/var/lib/gw")
        self.assertEqual(parse("", "f", environ).store, "sqlite:/var/lib/gw/ledger.sqlite")
        self.assertEqual(parse("gateway: {state_dir: x}", "f", environ).gateway.state_dir, "x")
        self.assertEqual(parse("store: 'memory:'", "f", environ).store, "memory:")

    def test_ipv6(self):
        """An IPv6 host is escaped for the endpoint string."""
        listen = parse("gateway: {host: '::1', port: 1}", "f", {}).gateway.listen
        self.assertEqual(listen, ("tcp:1:interface=\\:\\:1",))

    def test_ca_file(self):
        """A provider's certificates are looked at, and their path kept."""
        path = self.mktemp()
        Path(path).write_bytes(self_signed()[0])
        config = parse(f"providers: {{openai: {{ca_file: {path}}}}}", "f", {})
        self.assertEqual(config.providers["openai"].ca_file, path)

    def test_json_is_yaml(self):
        """A configuration written as JSON by a program is read as well."""
        text = json.dumps({"agents": {"a": {"budget": {"max_cost_total": 1.5}, "rate_limit": "5/s"}}})
        self.assertEqual(parse(text, "f", {}).agents["a"].budget.max_cost_total, 1_500_000_000)

    def test_no_secret_in_repr(self):
        """A configuration that ends up in a log line shows no secret either."""
        self.assertNotIn(SECRET, repr(parse(FULL, "f", ENVIRON)))
        self.assertNotIn("hooks.example.com", repr(parse(FULL, "f", ENVIRON)))


BREAKS = re.compile("\n|\x85")
"""What ends a line of YAML."""
SPLINTERS = st.sampled_from(
    [
        *("", "\n", "\n  ", "\t", " ", ":", ": ", "- ", ", ", "{", "}", "[", "]", "#", "'", '"', "|\n", "? ", "---\n"),
        *(
            "&a ",
            "*a",
            "<<: *a",
            "!!python/object/apply:os.system ",
            "!!binary ",
            "%YAML 9\n",
            "\x00",
            "\x85",
            "\ufeff",
            "ä",
        ),
        *(
            "null",
            "~",
            "true",
            "1e999",
            "-1",
            ".nan",
            "0x10",
            "1_000",
            "9" * 400,
            "env:NONE",
            "file:/nowhere",
            '"*"',
            "''",
        ),
        *("agents:", "gateway:", "policies:", "condition:", "rate_limit: 1/s", "2026-01-01", "a" * 200),
    ]
)


class AnyTests(SynchronousTestCase):
    """Files that somebody's cat has walked over."""

    @given(st.data())
    def test_any_change(self, data):
        """However a file is broken, it is taken, or refused with mistakes that say where and tell no secret."""
        text = FULL
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(text)))
            text = text[:at] + data.draw(SPLINTERS) + text[at + data.draw(st.integers(0, 12)) :]
        try:
            parse(text, "f", ENVIRON)
        except ConfigError as error:
            self.assertTrue(error.mistakes)
            for mistake in error.mistakes:
                self.assertTrue(0 <= mistake.line <= len(BREAKS.findall(text)) + 2, mistake)
            self.assertNotIn(SECRET, str(error))

    def test_next_line(self):
        """U+0085 ends a line of YAML, too: a mistake behind it is told with YAML's line."""
        with self.assertRaises(ConfigError) as caught:
            parse("agents: {}\x85\x85nonsense: 1\n", "f", {})
        self.assertEqual(caught.exception.mistakes[0].line, 3)


class FileTests(SynchronousTestCase):
    """Reading from disk."""

    def test_unreadable(self):
        """A file that is not there is one clear line."""
        with self.assertRaises(ConfigError) as caught:
            load("/nowhere/gateway.yaml", {})
        self.assertEqual(
            str(caught.exception), "/nowhere/gateway.yaml: expected a readable file, got No such file or directory"
        )

    def test_not_text(self):
        """Bytes that are no UTF-8 are told with their line."""
        path = self.mktemp()
        Path(path).write_bytes(b"agents:\n  a: {model: \xff}\n")
        with self.assertRaises(ConfigError) as caught:
            load(path, {})
        self.assertEqual(str(caught.exception), f"{path}:2: expected text in UTF-8, got other bytes")

    def test_byte_order_mark(self):
        """A byte order mark, as some editors leave it, does no harm."""
        path = self.mktemp()
        Path(path).write_bytes(b"\xef\xbb\xbfagents: {a: {}}\n")
        self.assertEqual(list(load(path, {}).agents), ["a"])
        self.assertEqual(load(path, {}).path, path)
