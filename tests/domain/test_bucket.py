"""Token buckets: what a rate limit lets pass."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Rate
from agentgateway.domain.bucket import TokenBucket

TICK = 2**-9
"""Seconds; a fraction that floats and nanoseconds both hold exactly."""

rates = st.builds(Rate, count=st.integers(1, 500), seconds=st.sampled_from([1, 7, 60, 3600, 86400]))
acts = st.tuples(st.integers(-20_000, 40_000), st.integers(0, 3), st.integers(0, 600))


class TokenBucketTests(SynchronousTestCase):
    """One agent's rate limit."""

    def bucket(self, count=10, seconds=60, now=0.0):
        return TokenBucket.full(Rate(count, seconds), now)

    def test_burst(self):
        """A fresh limit of 10/min lets ten calls pass at once, and says when the next may."""
        bucket = self.bucket()
        self.assertEqual([bucket.take(0) for _ in range(11)], [True] * 10 + [False])
        self.assertEqual(bucket.wait(0), 6.0)
        self.assertEqual(bucket.available(0), 0)

    def test_refill_is_continuous(self):
        """Tokens come back one by one, not a minute's worth at the minute."""
        bucket = self.bucket()
        for _ in range(10):
            bucket.take(0)
        self.assertEqual([bucket.available(t) for t in (5.999, 6, 11, 12, 59.9, 60, 600)], [0, 1, 1, 2, 9, 10, 10])

    def test_asking_takes_nothing(self):
        """Looking at a limit a thousand times costs nothing."""
        bucket = self.bucket(count=1)
        for _ in range(1000):
            self.assertEqual((bucket.wait(0), bucket.available(0)), (0, 1))
        self.assertTrue(bucket.take(0))

    def test_waiting_the_said_time_suffices(self):
        """Who waits as long as told is let in, however odd the rate."""
        for count, seconds in ((3, 1), (7, 60), (999, 86400), (1, 86400)):
            bucket = self.bucket(count, seconds)
            self.assertTrue(bucket.take(0, count))
            wait = bucket.wait(0)
            self.assertEqual(bucket.wait(wait), 0)
            self.assertTrue(bucket.take(wait))

    def test_give_back(self):
        """A token that was not used after all comes back, but a bucket never holds more than its burst."""
        bucket = self.bucket()
        bucket.take(0, 3)
        bucket.give_back(0, 2)
        self.assertEqual((bucket.available(0), bucket.full_in(0)), (9, bucket.wait(0, bucket.rate.count)))
        bucket.give_back(0, 50)
        self.assertEqual(bucket.available(0), 10)

    def test_debt(self):
        """Tokens used beyond what was reserved are owed, and paid off before anything else passes."""
        bucket = self.bucket(count=100, seconds=10)
        self.assertTrue(bucket.take(0, 60))
        bucket.charge(0, 90)
        self.assertEqual((bucket.available(0), bucket.debt(0)), (0, 50))
        self.assertEqual(bucket.wait(0), 5.1)
        self.assertFalse(bucket.take(5))
        self.assertTrue(bucket.take(5.1))
        self.assertEqual(bucket.debt(5.1), 0)

    def test_more_than_the_burst(self):
        """A request larger than the whole limit passes when the bucket is full, and is paid for afterwards."""
        bucket = self.bucket(count=100, seconds=10)
        bucket.take(0, 1)
        self.assertEqual(bucket.wait(0, 250), 0.1)
        self.assertFalse(bucket.take(0, 250))
        self.assertTrue(bucket.take(1, 250))
        self.assertEqual(bucket.debt(1), 150)

    def test_clock_back(self):
        """A clock that steps back neither frees nor freezes a limit."""
        bucket = self.bucket(now=1000)
        for _ in range(10):
            bucket.take(1000)
        self.assertEqual((bucket.available(400), bucket.wait(400)), (0, 6.0))
        self.assertEqual(bucket.available(406), 1)

    def test_clock_to_and_fro(self):
        """A clock that steps back and comes again refills from where it stepped to, as one that never was ahead."""
        bucket = self.bucket(10, 60, 10.0)
        bucket.charge(10.0, 10)
        bucket.available(4.0)
        self.assertEqual((bucket.available(10.0), bucket.available(10.0)), (1, 1))

    def test_reconfigure(self):
        """A changed limit keeps its fill level in proportion: half full stays half full."""
        bucket = self.bucket()
        bucket.take(0, 5)
        bucket.reconfigure(Rate(100, 3600), 0)
        self.assertEqual((bucket.available(0), bucket.rate), (50, Rate(100, 3600)))
        bucket.take(0, 50)
        bucket.reconfigure(Rate(1, 1), 0)
        self.assertEqual(bucket.available(0.999), 0)

    def test_no_rate(self):
        """A rate of nothing is no rate."""
        for rate in (Rate(0, 1), Rate(1, 0), Rate(-1, 60)):
            self.assertRaises(ValueError, TokenBucket.full, rate, 0)
            self.assertRaises(ValueError, self.bucket().reconfigure, rate, 0)

    @given(rates, st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 20)), max_size=60))
    def test_never_more_than_promised(self, rate, steps):
        """Over any time, at most the burst and the refill of that time pass: to the token."""
        bucket, ticks, passed = TokenBucket.full(rate, 0), 0, [(0, 0)]
        for pause, n in steps:
            ticks += pause
            n = min(n, rate.count)
            passed.append((ticks, n if bucket.take(ticks * TICK, n) else 0))
        for first in range(len(passed)):
            total, start = 0, passed[first][0]
            for at, n in passed[first:]:
                total += n
                self.assertLessEqual(total * rate.seconds * 512, rate.count * (rate.seconds * 512 + (at - start)))

    @given(rates, st.lists(acts, max_size=60))
    def test_never_above_the_burst(self, rate, steps):
        """Whatever is taken, given back or charged, on whatever clock: never above the burst, never a negative wait."""
        bucket, ticks = TokenBucket.full(rate, 0), 0
        for pause, act, n in steps:
            ticks += pause
            now = ticks * TICK
            (bucket.take, bucket.charge, bucket.give_back, bucket.wait)[act](now, n)
            self.assertLessEqual(bucket.available(now), rate.count)
            self.assertGreaterEqual(bucket.wait(now, n), 0)
