"""Where books are kept and how many processes share them, as the file says it."""

import os

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config import stores
from agentgateway.config.load import parse
from agentgateway.config.schema import Secret, Shared
from agentgateway.config.secret import SecretReader
from agentgateway.config.tree import Scalar, Wrong
from agentgateway.domain.lease import LARGEST_CAP

SHARED = "store: {live: 'redis://:pass@h:6380/2', history: 'postgresql://u:pass@h/d'}"


def text(value: str) -> Scalar:
    """A text in the file."""
    return Scalar(1, None, "", value, True)


class StoreTests(SynchronousTestCase):
    """`store`."""

    def test_own(self) -> None:
        """A process's own store is in memory or a file, and nothing is shared."""
        for value in ("memory:", "sqlite:x.db"):
            self.assertEqual(stores.store(text(value)), value)
            self.assertIsNone(parse(f"store: '{value}'", "f", {}).shared)
        for value in ("memory", "sqlite:", "postgres:x"):
            self.assertRaises(Wrong, stores.store, text(value))

    def test_shared(self) -> None:
        """A mapping names what processes share; each has books of its own in its state directory all the same."""
        config = parse("gateway: {state_dir: /s/}\n" + SHARED, "f", {})
        self.assertEqual(config.shared, Shared(Secret("redis://:pass@h:6380/2"), Secret("postgresql://u:pass@h/d")))
        self.assertEqual(config.store, "sqlite:/s/ledger.sqlite")
        self.assertNotIn("pass", repr(config))

    def test_log(self) -> None:
        """What others see is loaded from the log, so there is one, by the file's name or in the state directory."""
        for said, path in (("", "/s/audit.jsonl"), ("audit: {log_file: l.jsonl}\n", "l.jsonl")):
            config = parse("gateway: {state_dir: /s}\n" + said + SHARED, "f", {})
            self.assertEqual(config.audit.log_file, path)

    def test_all_of_it(self) -> None:
        """The URLs may come from the environment; what happens in an outage and for how long is kept can be said."""
        environ = {"R": "redis://h", "P": "postgres:///d?host=/run/postgresql"}
        said = "store: {live: env:R, history: env:P, on_outage: spend, retention_months: 13}"
        shared = parse(said, "f", environ).shared
        assert shared is not None
        self.assertEqual((shared.live.value, shared.history.value), (environ["R"], environ["P"]))
        self.assertEqual((shared.on_outage, shared.retention_months), ("spend", 13))

    def test_urls(self) -> None:
        """URLs of another kind are refused and never shown."""
        reader = stores.UrlReader(SecretReader({}))
        for url in (
            "redis:6379",
            "http://h",
            "redis://",
            "redis://h:x",
            "redis://h:0",
            "redis://h/x",
            "redis://h?db=1",
        ):
            self.assertEqual(self.assertRaises(Wrong, reader.live, text(url)).got, "something else", url)
        others = ("h/d", "sqlite:x", "http://h")
        ports = ("h:x", "h:0", "h:65536", "g:1,h:99999", "h:" + "1" * 5000, "h/d?port=65536", "h/d?port=x")
        damaged = ("u:p@w@h/d", "u:p/w@h/d", "u:%zz@h", "[::1/d", "h/d?nonsense=1")
        for url in (*others, *(f"postgresql://{url}" for url in ports + damaged)):
            self.assertEqual(self.assertRaises(Wrong, reader.history, text(url)).got, "something else", url)
        for url in ("", "/d", "h:65535/d", "u:p@[::1]:5432,g/d?sslmode=require", "%2Frun/d", "h:/d"):
            self.assertEqual(reader.history(text(f"postgresql://{url}")).value, f"postgresql://{url}")
        for url in ("redis://h", "redis://127.0.0.1:6379/0", "redis://:a@[::1]"):
            self.assertEqual(reader.live(text(url)).value, url)

    def test_extra(self) -> None:
        """Without the packages for it, it is a mistake that says what to install."""
        reader = stores.UrlReader(SecretReader({}), lambda name: False)
        for read in (reader.live, reader.history):
            wrong = self.assertRaises(Wrong, read, text("redis://h"))
            self.assertIn("twisted-agentgateway[shared]", wrong.expected)
            self.assertIn(".venv/bin/pip install -e '.[shared]'", wrong.expected)

    def test_caps(self) -> None:
        """A cap above what a shared store counts exactly is refused there, and fine in a store of one's own."""
        agents = "agents: {a: {budget: {max_cost_total: %d}}}\n"
        self.assertEqual(parse(agents % 9_000_001, "f", {}).agents["a"].budget.max_cost_total, 9_000_001 * 10**9)
        shared = parse(agents % 9_000_000 + SHARED, "f", {})
        self.assertEqual(shared.agents["a"].budget.max_cost_total, LARGEST_CAP)


class WorkersTests(SynchronousTestCase):
    """`workers`."""

    def test_number(self) -> None:
        """As many as are asked for, one where nobody asks."""
        self.assertEqual(parse("", "f", {}).workers, 1)
        self.assertEqual(parse("workers: 1", "f", {}).workers, 1)
        self.assertEqual(parse("workers: 4\n" + SHARED, "f", {}).workers, 4)

    def test_auto(self) -> None:
        """`auto` is one for each processor that this process may use."""
        self.patch(os, "sched_getaffinity", lambda pid: {0, 1, 5})
        self.assertEqual(parse("workers: auto\n" + SHARED, "f", {}).workers, 3)

    def test_own_store(self) -> None:
        """Several processes on a store for one are refused with the reason, whatever number `auto` is."""
        self.patch(os, "sched_getaffinity", lambda pid: {0, 1})
        for count in ("2", "auto"):
            wrong = self.assertRaises(Wrong, stores.workers, text(count))
            self.assertIn("live and history under store", wrong.expected)
        self.patch(os, "sched_getaffinity", lambda pid: {0})
        self.assertEqual(stores.workers(text("auto")), 1)
