"""A process's place in a fleet, by its configuration."""

from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Config, Secret, Shared
from agentgateway.membership import Membership


class MembershipTests(SynchronousTestCase):
    """Made where stores are shared."""

    def of(self, config: Config) -> Any:
        """What that configuration makes."""
        return Membership.of(config, Clock(), self.fail, self.fail, self.fail)

    def test_alone(self) -> None:
        """Without shared stores there is nothing of it."""
        self.assertIsNone(self.of(Config()))

    def test_shared(self) -> None:
        """With them the process has a name that it keeps beside its books, and an outage goes as configured."""
        store = f"sqlite:{self.mktemp()}/ledger.sqlite"
        shared = Shared(Secret("redis://127.0.0.1:1"), Secret("postgresql://nobody@127.0.0.1:1/none"), "spend")
        config = Config(store=store, shared=shared)
        member = self.of(config)
        self.assertEqual((member.link.on_outage, len(member.process)), ("spend", 16))
        self.assertEqual(self.of(config).process, member.process)
        other = attrs.evolve(config, store=f"sqlite:{self.mktemp()}/ledger.sqlite")
        self.assertNotEqual(self.of(other).process, member.process)
