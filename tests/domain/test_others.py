"""Everybody's sums."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.counters import Tallies, Tally
from agentgateway.domain.others import Joint, Others
from agentgateway.domain.windows import Calendar

HOUR = 1_790_002_800
"""Epoch seconds at which a clock hour begins, in UTC."""


class OthersTests(SynchronousTestCase):
    """What is done here, and what is known of the rest."""

    def test_joined(self) -> None:
        """Sums of one window are added up; nobody's own are changed."""
        others, own = Others(), Tally(1, 2, 3, 4, 5)
        others.learn(HOUR, (10, 20, 30, 40, 50))
        self.assertEqual(others.joined(own, HOUR), Tally(11, 22, 33, 44, 55))
        self.assertEqual(own, Tally(1, 2, 3, 4, 5))

    def test_another_window(self) -> None:
        """What others did in another window does not count in this one."""
        others, own = Others(), Tally(1)
        others.learn(HOUR, (10, 20, 30, 40, 50))
        self.assertIs(others.joined(own, HOUR + 3600), own)

    def test_turn(self) -> None:
        """When a window turns, both begin anew."""
        own, others = Tallies(Calendar.of("UTC").hour), Others()
        own.at(HOUR).cost = 5
        others.learn(HOUR, (10, 0, 0, 0, 0))
        joint = Joint(own, others)
        self.assertEqual([joint.at(at).cost for at in (HOUR, HOUR + 3599, HOUR + 3600)], [15, 15, 0])
        self.assertEqual(joint.window(HOUR + 3600).start, HOUR + 3600)
