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

    def test_told_again(self) -> None:
        """While all tell again what was lost nothing is forgotten here; what is known already is no news."""
        others = Others()
        self.assertEqual(others.learn(HOUR, (10, 20, 30, 40, 50)), (10, 20))
        self.assertEqual(others.learn(HOUR, (7, 25, 0, 0, 0), partly=True), (0, 5))
        self.assertEqual(others.tally, Tally(10, 25, 30, 40, 50))
        self.assertEqual(others.learn(HOUR, (3, 3, 0, 0, 0)), (0, 0))
        self.assertEqual(others.tally, Tally(3, 3))
        self.assertEqual(others.learn(HOUR, (12, 25, 0, 0, 0)), (2, 0))
        others.learn(HOUR + 3600, (1, 1, 0, 0, 0), partly=True)
        self.assertEqual(others.tally, Tally(1, 1))

    def test_turn(self) -> None:
        """When a window turns, both begin anew."""
        own, others = Tallies(Calendar.of("UTC").hour), Others()
        own.at(HOUR).cost = 5
        others.learn(HOUR, (10, 0, 0, 0, 0))
        joint = Joint(own, others)
        self.assertEqual([joint.at(at).cost for at in (HOUR, HOUR + 3599, HOUR + 3600)], [15, 15, 0])
        self.assertEqual(joint.window(HOUR + 3600).start, HOUR + 3600)
