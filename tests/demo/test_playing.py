"""Tests of how a reply is played out."""

from itertools import repeat

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.exchange import Reply, Step
from agentgateway.demo.playing import Player
from tests.demo.doubles import Wire


class PlayerTests(SynchronousTestCase):
    """Steps in their time, with back-pressure."""

    def setUp(self):
        """A player on a clock."""
        self.clock, self.wire, self.tokens, self.ends = Clock(), Wire(), [], []
        self.player = Player(self.clock, self.wire, self.wire.write, self.tokens.append, self.ends.append)

    def test_at_once(self):
        """A reply that waits for nothing is through before anything else happens."""
        self.player.play(reply := Reply((Step(b"all", 0, 3),)))
        self.assertEqual((self.wire.value(), self.tokens, self.ends), (b"all", [3], [reply]))

    def test_in_time(self):
        """Each step waits its delay, and tokens count when they are written."""
        self.player.play(Reply((Step(b"a", 0, 1), Step(b"b", 2, 1))))
        self.assertEqual((self.wire.value(), self.tokens), (b"a", [1]))
        self.clock.advance(2)
        self.assertEqual((self.wire.value(), self.tokens, len(self.ends)), (b"ab", [1, 1], 1))

    def test_back_pressure(self):
        """A peer that does not read stops an endless reply, until it reads again."""
        written = []

        def write(data):
            written.append(data)
            if len(written) % 5 == 0:
                self.player.pauseProducing()

        self.player.write = write
        self.player.play(Reply(repeat(Step(b"x"))))
        self.assertEqual(len(written), 5)
        self.player.resumeProducing()
        self.assertEqual(len(written), 10)

    def test_takes_turns(self):
        """A reply without end lets others have their turn, and is told when its peer goes away."""
        self.player.play(Reply(repeat(Step(b"x", 0, 1))))
        first = len(self.tokens)
        self.clock.advance(0.001)
        self.assertEqual(len(self.tokens), 2 * first)
        self.player.stopProducing()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped(self):
        """A peer that has gone gets nothing more, and no timer is left behind."""
        self.player.play(Reply((Step(b"a"), Step(b"b", 2))))
        self.player.stopProducing()
        self.assertEqual((self.clock.getDelayedCalls(), self.ends), ([], []))
