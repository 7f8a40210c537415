"""What a reload says that it changed."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.changes import changes
from agentgateway.config.load import parse

OLD = """
gateway: {port: 1, drain_timeout: 5}
agents: {a: {tags: [x]}, b: {}}
policies: [{name: p, condition: "error_rate > 0.5", action: pause}]
"""
NEW = """
gateway: {port: 2, drain_timeout: 6}
agents: {a: {tags: [y]}, c: {}}
providers: {mine: {api: openai, base_url: "http://127.0.0.1:1"}}
prices: {m: {input: 1, output: 2}}
unpriced_models: refuse
"""


class ChangesTests(SynchronousTestCase):
    """By name, for people."""

    def test_all_kinds(self) -> None:
        """Names are added, changed and removed; other keys changed; some need a restart."""
        told = changes(parse(OLD, "f", {}), parse(NEW, "f", {}))
        self.assertEqual(told["agents"], {"added": ["c"], "changed": ["a"], "removed": ["b"]})
        self.assertEqual(told["providers"], {"added": ["mine"], "changed": [], "removed": []})
        self.assertEqual(told["prices"]["added"], ["m"])
        self.assertEqual(told["policies"]["removed"], ["p"])
        self.assertEqual(told["gateway"], ["drain_timeout", "unpriced_models"])
        self.assertEqual(told["needs_restart"], ["gateway.port"])

    def test_places(self) -> None:
        """Another place to listen is told by the keys that the file has for it."""
        told = (
            ("{port: 1}", "{port: 2}", ["gateway.port"]),
            ("{port: 1}", "{host: 10.0.0.7, port: 1}", ["gateway.host"]),
            ("{}", "{host: '::1', port: 1}", ["gateway.port", "gateway.host"]),
            ("{port: 1}", "{listen: ['tcp:1:interface=0.0.0.0']}", []),
            ("{port: 1}", "{listen: ['tcp:3']}", ["gateway.listen"]),
            ("{listen: ['tcp:3']}", "{port: 1}", ["gateway.port"]),
        )
        for old, new, keys in told:
            begun, now = parse(f"gateway: {old}", "f", {}), parse(f"gateway: {new}", "f", {})
            self.assertEqual(changes(begun, now)["needs_restart"], keys, new)

    def test_restart_is_due_until_it_is_done(self) -> None:
        """What needs a restart is told again while it is due, and no more once the file says again what runs."""
        old, new = parse(OLD, "f", {}), parse(NEW, "f", {})
        self.assertEqual(changes(new, new, old)["needs_restart"], ["gateway.port"])
        self.assertEqual(changes(new, old, old)["needs_restart"], [])

    def test_shared(self) -> None:
        """Other stores and another number of workers need a restart, and are named without what they say."""
        shared = "store: {live: 'redis://:secret@h', history: 'postgresql://h/d'}\n"
        told = changes(parse(OLD, "f", {}), parse(OLD + shared + "workers: 2", "f", {}))
        self.assertEqual(told["needs_restart"], ["audit", "shared", "workers"])
        self.assertNotIn("secret", str(told))

    def test_nothing(self) -> None:
        """The same file changes nothing."""
        told = changes(parse(OLD, "f", {}), parse(OLD, "f", {}))
        tables = [told[table] for table in ("agents", "providers", "prices", "policies")]
        self.assertEqual(tables, [{"added": [], "changed": [], "removed": []}] * 4)
        self.assertEqual((told["gateway"], told["needs_restart"]), ([], []))
