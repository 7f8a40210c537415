"""The commented gateway.yaml that comes along is the schema written out."""

import os
import re
from pathlib import Path

import attrs
import yaml
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config import schema
from agentgateway.config.load import load, parse
from tests.certificates import self_signed

EXAMPLE = Path(__file__).parents[2] / "gateway.yaml"
ENVIRON = {
    "AGENTGATEWAY_ADMIN_TOKEN": "token",
    "OPENAI_API_KEY": "sk-1",
    "ANTHROPIC_API_KEY": "sk-2",
    "WRITER_GATEWAY_KEY": "writer-key",
    "DATABASE_URL": "postgresql://user:password@host/db",
    "ALERT_WEBHOOK": "https://hooks.example.com/T0/B0",
}


class ExampleTests(SynchronousTestCase):
    """The example as it is, and with every key that stands behind a "#" (without a blank after it) brought out."""

    def setUp(self):
        """Bring the keys out; `listen` apart, as it stands instead of host and port."""
        ca_file = os.path.abspath(self.mktemp())
        Path(ca_file).write_bytes(self_signed()[0])
        out = re.sub(r"(?m)^( *)#(?=[^ ])", r"\1", EXAMPLE.read_text().replace("ca.pem", ca_file)).splitlines()
        self.everything = "\n".join(line for line in out if not line.startswith("  listen:"))
        (self.listen,) = (line for line in out if line.startswith("  listen:"))

    def test_as_it_is(self):
        """The first run works without a key, for this machine only, with a template for agents of any name."""
        config = load(str(EXAMPLE), {})
        self.assertEqual(config.gateway.listen, ("tcp:8080:interface=127.0.0.1",))
        self.assertEqual(config.dashboard, schema.Dashboard(4040, "127.0.0.1"))
        self.assertEqual(config.audit.log_file, ".agentgateway/audit.jsonl")
        self.assertEqual(list(config.agents), ["*", "writer"])
        self.assertIsNone(config.agents["*"].key_sha256)
        self.assertTrue(all(provider.api_key is None for provider in config.providers.values()))

    def test_commented_keys(self):
        """Every key behind a "#" is a key, with a value that is valid where it stands."""
        parse(self.everything, "gateway.yaml", ENVIRON)
        config = parse("gateway:\n" + self.listen, "gateway.yaml", ENVIRON)
        self.assertEqual(config.gateway.listen, load(str(EXAMPLE), {}).gateway.listen)

    def test_defaults(self):
        """What stands behind a "#" as a default is the default."""
        config, default = parse(self.everything, "f", ENVIRON), parse("", "f", {})
        gateway = attrs.evolve(config.gateway, admin_token=None, otlp_endpoint=None, listen=default.gateway.listen)
        self.assertEqual(gateway, default.gateway)
        openai = attrs.evolve(config.providers["openai"], api_key=None, ca_file=None)
        self.assertEqual(openai, default.providers["openai"])
        writer = config.agents["writer"]
        self.assertEqual(writer.circuit_breaker, schema.CircuitBreaker())
        self.assertEqual((writer.budget.enforcement, writer.budget.warn_at), ("estimate", (0.75, 0.95)))
        self.assertEqual(config.unpriced_models, default.unpriced_models)
        self.assertEqual(config.audit.max_entries, default.audit.max_entries)
        self.assertEqual(config.store, default.store)

    def test_complete(self):
        """No key is missing from the example."""
        everything = yaml.safe_load(self.everything)
        writer = everything["agents"]["writer"]
        sections = [
            (schema.Config, everything, {"path", "shared"}),
            (schema.Gateway, everything["gateway"], {"listen", "short"}),
            (schema.Provider, everything["providers"]["openai"], {"name"}),
            (schema.Agent, writer, {"id"}),
            (schema.Budget, writer["budget"], set()),
            (schema.CircuitBreaker, writer["circuit_breaker"], set()),
            (schema.Policy, everything["policies"][0], set()),
            (schema.Price, everything["prices"]["my-finetune"], set()),
            (schema.Dashboard, everything["dashboard"], set()),
            (schema.Audit, everything["audit"], set()),
            (schema.Shared, everything["store"], set()),
            (schema.Admin, everything["admin"], set()),
        ]
        for cls, section, hidden in sections:
            names = {"key" if f.name == "key_sha256" else f.name for f in attrs.fields(cls)} - hidden
            self.assertEqual(names - set(section), set(), cls.__name__)
