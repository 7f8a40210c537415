"""Rounds over many things, in short turns."""

from collections.abc import Iterator

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.rounds import REST, SHARE, TURN, Rounds


class RoundsTests(SynchronousTestCase):
    """Work that takes more than one turn."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.done: list[int] = []
        self.rounds = Rounds(self.clock, self.work)
        self.rounds.startService()

    def work(self) -> Iterator[None]:
        """Ten steps of which two take as long as a turn may."""
        for step in range(10):
            self.done.append(step)
            self.clock.rightNow += TURN / 2
            yield

    def test_turns(self) -> None:
        """A turn ends when its time is over, and the next one comes after a rest."""
        self.rounds.begin()
        self.assertEqual(self.done, [])
        seen = []
        for _ in range(6):
            self.clock.advance(REST)
            seen.append(len(self.done))
        self.assertEqual(seen, [2, 4, 6, 8, 10, 10])

    def test_load(self) -> None:
        """Where the reactor comes back late, a turn takes its part of that time."""
        self.rounds.begin()
        self.clock.advance(4 * TURN / SHARE)
        self.assertEqual(len(self.done), 8)

    def test_once_at_a_time(self) -> None:
        """A round that is asked for during another is not made, or made behind it where that is wanted."""
        self.rounds.begin()
        self.clock.advance(REST)
        self.rounds.begin()
        self.clock.pump([REST] * 20)
        self.assertEqual(len(self.done), 10)
        for _ in range(2):
            self.rounds.begin(again=True)
        self.clock.pump([REST] * 40)
        self.assertEqual(len(self.done), 30)

    def test_failure(self) -> None:
        """A round that fails is logged, and the next one is made."""
        self.rounds = Rounds(self.clock, lambda: (1 // 0 for _ in range(3)))  # type: ignore[misc]
        for number in (1, 2):
            self.rounds.begin()
            self.clock.pump([REST] * 2)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, number)

    def test_stop(self) -> None:
        """At the end of the service the round under way is left, quietly."""
        self.rounds.begin()
        self.clock.advance(REST)
        self.rounds.begin(again=True)
        self.rounds.stopService()
        self.clock.pump([REST] * 20)
        self.assertEqual(self.done, [0, 1])
        self.assertEqual(self.clock.getDelayedCalls(), [])
