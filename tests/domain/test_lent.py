"""A process's part of a rate that belongs to a fleet."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Rate
from agentgateway.domain.lease import BucketGrant
from agentgateway.domain.lent import LentBucket
from agentgateway.domain.link import Link

NOW = 1000.0


class BucketTests(SynchronousTestCase):
    """Tokens that come in advance."""

    def setUp(self) -> None:
        """A bucket to which nothing was lent yet."""
        self.link = Link()
        self.bucket = LentBucket("a", "rate_limit", Rate(100, 1), self.link)

    def lend(self, upto: int, wait: float = 0.0, now: float = NOW) -> None:
        """Answer the question it would ask now."""
        self.bucket.ask(now)
        self.bucket.take(now, BucketGrant("rate_limit", upto, wait))

    def test_empty(self) -> None:
        """Nothing can be taken before something was lent; a call asks for it."""
        self.assertGreater(self.bucket.wait(NOW), 0)
        self.assertTrue(self.bucket.borrow(NOW))
        self.assertEqual(self.link.urgent, {"a"})
        asked = self.bucket.ask(NOW)
        self.assertEqual((asked.name, asked.count, asked.seconds, asked.upto, asked.want), ("rate_limit", 100, 1, 0, 1))

    def test_lent(self) -> None:
        """What was lent can be taken, and no more."""
        self.bucket.borrow(NOW, 2)
        self.lend(2)
        self.assertEqual((self.bucket.available(NOW), self.bucket.wait(NOW, 2)), (2, 0.0))
        self.assertGreater(self.bucket.wait(NOW, 3), 0)
        self.bucket.charge(NOW, 2)
        self.assertEqual(self.bucket.available(NOW), 0)

    def test_what_agents_learn(self) -> None:
        """Agents are told what the whole fleet has left, as far as is known: what is held here is but a part of it."""
        self.bucket.borrow(NOW, 2)
        self.bucket.ask(NOW)
        self.bucket.take(NOW, BucketGrant("rate_limit", 2, 0.0, 30))
        self.assertEqual((self.bucket.available(NOW), self.bucket.full_in(NOW)), (32, 0.68))
        self.assertEqual((self.bucket.available(NOW + 0.5), self.bucket.full_in(NOW + 0.5)), (82, 0.18))
        self.assertEqual((self.bucket.available(NOW + 9), self.bucket.full_in(NOW + 9)), (100, 0))

    def test_denied(self) -> None:
        """Where nothing was left the answer says how long it takes; meanwhile nobody asks again."""
        self.bucket.borrow(NOW)
        self.lend(0, 0.5)
        self.assertAlmostEqual(self.bucket.wait(NOW + 0.1), 0.4)
        self.assertFalse(self.bucket.borrow(NOW + 0.4))
        self.assertTrue(self.bucket.borrow(NOW + 0.5))

    def test_ahead(self) -> None:
        """It asks for as many tokens ahead as half a second used, in time."""
        self.link.members = 4
        self.lend(20)
        for _ in range(16):
            self.bucket.charge(NOW, 1)
        self.assertEqual(self.link.urgent, set())
        self.bucket.charge(NOW, 1)
        self.assertEqual(self.link.urgent, {"a"})
        self.assertEqual(self.bucket.ask(NOW).want, 17 + 8)

    def test_plenty(self) -> None:
        """Where there are plenty it asks for two seconds."""
        self.bucket.reconfigure(Rate(10_000, 1), NOW)
        self.lend(20)
        self.bucket.charge(NOW, 17)
        self.assertEqual(self.bucket.ask(NOW).want, 17 + 34)

    def test_given_back(self) -> None:
        """What was not used for a second goes back, and is held no longer from the moment of saying so."""
        self.bucket.borrow(NOW, 20)
        self.lend(20)
        self.bucket.charge(NOW, 4)
        self.assertTrue(self.bucket.idle(NOW + 2))
        asked = self.bucket.ask(NOW + 2)
        self.assertEqual((asked.upto, asked.want, self.bucket.upto), (4, 4, 4))
        self.assertFalse(self.bucket.idle(NOW + 2))

    def test_more_than_lent(self) -> None:
        """Tokens used beyond what was lent are told, so that the rest of the fleet waits for them."""
        self.bucket.charge(NOW, 30)
        self.assertEqual(self.bucket.ask(NOW).upto, 30)

    def test_more_than_the_burst(self) -> None:
        """A call of more tokens than the rate ever has passes when all of them are there."""
        self.bucket.borrow(NOW, 250)
        self.assertEqual(self.bucket.ask(NOW).want, 100)
        self.lend(100)
        self.assertEqual(self.bucket.wait(NOW, 250), 0.0)

    def test_unused(self) -> None:
        """Tokens given back by a call can be used by the next one."""
        self.bucket.borrow(NOW, 10)
        self.lend(10)
        self.bucket.charge(NOW, 10)
        self.bucket.give_back(NOW, 6)
        self.assertEqual(self.bucket.available(NOW), 6)

    def test_alone(self) -> None:
        """While nobody can be asked, each of four processes lets a fourth of the rate pass."""
        self.link.members, self.link.up = 4, False
        self.assertEqual(self.bucket.available(NOW), 25)
        self.assertFalse(self.bucket.borrow(NOW))
        self.bucket.charge(NOW, 25)
        self.assertEqual(self.bucket.wait(NOW), 0.04)
        self.assertEqual(self.bucket.available(NOW + 1), 25)

    def test_alone_and_slow(self) -> None:
        """A rate of fewer calls than there are processes becomes slower, rather than none or too much."""
        self.link.members, self.link.up = 4, False
        bucket = LentBucket("a", "rate_limit", Rate(2, 60), self.link)
        bucket.charge(NOW, 1)
        self.assertEqual(bucket.wait(NOW), 120.0)

    def test_reconfigured(self) -> None:
        """Another rate is asked for from then on; what was taken stays counted."""
        self.bucket.charge(NOW, 3)
        self.bucket.reconfigure(Rate(5, 60), NOW)
        asked = self.bucket.ask(NOW)
        self.assertEqual((asked.count, asked.seconds, asked.upto), (5, 60, 3))
