"""How an agent stands, as it is kept."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.standing import Caps, Pause, Standing


class StandingTests(SynchronousTestCase):
    """What survives a restart beside the money."""

    def test_written_and_read(self) -> None:
        """A standing comes back from JSON as it was."""
        for standing in (
            Standing("a"),
            Standing("a", Pause("budget", "spent", 1.5, 99.0)),
            Standing("a", Pause("operator", "no", 1.5), Caps(5, None, 7)),
        ):
            self.assertEqual(msgspec.json.decode(msgspec.json.encode(standing), type=Standing), standing)
