"""How an agent stands, as it is kept."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.standing import SECOND, Caps, Pause, Standing, said_after


class StandingTests(SynchronousTestCase):
    """What survives a restart beside the money."""

    def test_written_and_read(self) -> None:
        """A standing comes back from JSON as it was."""
        for standing in (
            Standing("a"),
            Standing("a", Pause("budget", "spent", 1.5, 99.0)),
            Standing("a", Pause("operator", "no", 1.5), Caps(5, None, 7)),
            Standing("a", Pause("operator", "no", 1.5), Caps(5, None, 7), 3, 4),
        ):
            self.assertEqual(msgspec.json.decode(msgspec.json.encode(standing), type=Standing), standing)

    def test_older(self) -> None:
        """One that was written before there were times of words is read."""
        old = b'["standing","a",{"by":"operator","reason":"no","since":1.5,"until":null},null]'
        expected = Standing("a", Pause("operator", "no", 1.5))
        self.assertEqual(msgspec.json.decode(old, type=Standing), expected)

    def test_said_after(self) -> None:
        """A word comes after the one that was known when it was said, whatever the clock shows."""
        self.assertEqual((said_after(0, 5.0), said_after(9 * SECOND, 5.0)), (5 * SECOND, 9 * SECOND + 1))
