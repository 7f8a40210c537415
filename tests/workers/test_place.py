"""What a worker has to itself."""

import os
from pathlib import Path

import attrs
import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.admin import admin_token
from agentgateway.config.changes import changes
from agentgateway.config.load import parse
from agentgateway.config.schema import Config, Secret
from agentgateway.workers.place import PipeNotifier, Place, endpoints, former

SHARED = "store: {live: 'redis://h', history: 'postgresql://h/d'}\nworkers: 2\n"


class PlaceTests(SynchronousTestCase):
    """Two of them."""

    def setUp(self) -> None:
        """They share a folder."""
        self.folder = self.mktemp()
        self.places = [Place(number, "gateway.yaml", self.folder, {"tcp:1": 4}, 3) for number in (0, 1)]

    def config(self, more: str = "") -> Config:
        """What the file says."""
        return parse(f"gateway: {{state_dir: {self.folder}}}\n{SHARED}{more}", "gateway.yaml", {})

    def test_books(self) -> None:
        """Each has a folder, books and an audit log of its own; the first one those that a single process has."""
        config = self.config("audit: {log_file: logs/audit.jsonl}")
        own = [place.own(config) for place in self.places]
        self.assertEqual([one.gateway.state_dir for one in own], [f"{self.folder}/worker-{n}" for n in (0, 1)])
        self.assertEqual([one.store for one in own], [config.store, f"sqlite:{self.folder}/worker-1/ledger.sqlite"])
        self.assertEqual([one.audit.log_file for one in own], ["logs/audit.jsonl", "logs/audit-1.jsonl"])
        self.assertEqual([one.shared for one in own], [config.shared] * 2)
        silent = attrs.evolve(config, audit=attrs.evolve(config.audit, log_file=None))
        self.assertIsNone(self.places[0].own(silent).audit.log_file)

    def test_former(self) -> None:
        """Workers that left books behind and are not started any more are found by their folders."""
        self.assertEqual(former(self.folder, 1), [])
        for name in ("worker-0", "worker-1", "worker-2", "worker-03", "worker-10", "worker-x"):
            os.makedirs(f"{self.folder}/{name}")
            Path(self.folder, name, "ledger.sqlite").touch()
        os.makedirs(f"{self.folder}/worker-5")
        self.assertEqual((former(self.folder, 1), former(self.folder, 2)), ([1, 2, 10], [2, 10]))

    def test_token(self) -> None:
        """All have the same admin token: the configured one, else the one in the folder of all."""
        token = admin_token(self.config().gateway).secret
        self.assertEqual([place.own(self.config()).gateway.admin_token for place in self.places], [token] * 2)
        self.assertEqual(Path(self.folder, "admin-token").read_text().strip(), token.value)
        configured = parse("gateway: {admin_token: t, state_dir: nowhere}\n" + SHARED, "f", {})
        self.assertEqual(self.places[0].own(configured).gateway.admin_token, Secret("t"))

    def test_manhole(self) -> None:
        """Each has a manhole on a Unix socket; on a port, which only one can have, the first has it."""
        config = self.config("admin: {manhole: 'unix:a\\:b/manhole.sock:mode=600'}")
        own = [place.own(config).admin.manhole for place in self.places]
        self.assertEqual(own, [f"unix:a\\:b/manhole{n}.sock:mode=600" for n in ("", "-1")])
        config = self.config("admin: {manhole: 'tcp:2222', authorized_keys: keys}")
        own = [place.own(config).admin.manhole for place in self.places]
        self.assertEqual(own, ["tcp:2222", None])

    def test_reload(self) -> None:
        """The same file read again is the same configuration."""
        place = self.places[1]
        self.assertEqual(changes(place.own(self.config()), place.own(self.config()))["needs_restart"], [])

    def test_passed_on(self) -> None:
        """A place survives being an argument of a command."""
        place = self.places[1]
        self.assertEqual(msgspec.json.decode(msgspec.json.encode(place), type=Place), place)
        self.assertEqual(
            (place.control, place.control_of(0)), tuple(f"{self.folder}/worker-{n}/control.sock" for n in (1, 0))
        )

    def test_endpoints(self) -> None:
        """The sockets are those for calls, and the dashboard's where there is one."""
        self.assertEqual(endpoints(self.config()), ("tcp:8080:interface=0.0.0.0", "tcp:4040:interface=0.0.0.0"))
        self.assertEqual(endpoints(self.config("dashboard: false")), ("tcp:8080:interface=0.0.0.0",))


class PipeTests(SynchronousTestCase):
    """Words to the parent."""

    def test_words(self) -> None:
        """The parent hears what a service tells systemd, a line a word; a parent that is gone is no trouble."""
        reading, writing = os.pipe()
        notifier = PipeNotifier(writing)
        notifier.ready()
        notifier.alive()
        notifier.stopping()
        self.assertEqual(os.read(reading, 100), b"READY=1\nWATCHDOG=1\nSTOPPING=1\n")
        os.close(reading)
        notifier.ready()
        os.close(writing)
        self.assertEqual(notifier.watchdog, 1.0)
