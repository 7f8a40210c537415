"""Tokens of rates that a fleet shares."""

from agentgateway.domain.lease import BucketAsk
from tests.stores.live.asking import DAY, Steps
from tests.stores.live.memory import MemoryLive


class RateTests(Steps):
    """Tokens of a rate that all share."""

    def poured(self, live: MemoryLive, upto: int, want: int, count: int = 100, seconds: int = 1) -> tuple[int, float]:
        """(new upto, wait) of one bucket."""
        grant = self.granted(live, buckets=(BucketAsk("calls", count, seconds, upto, want),))
        return grant.buckets[0].upto, grant.buckets[0].wait

    def test_a_burst_and_a_refill(self) -> None:
        """A full count at once, then as much as time brings, whoever asks; and how long the next one takes."""
        self.assertEqual(self.poured(self.one, 0, 60), (60, 0.0))
        self.assertEqual(self.poured(self.two, 0, 60), (40, 0.01))
        self.now += 0.25
        self.assertEqual(self.poured(self.one, 60, 200), (85, 0.01))

    def test_given_back(self) -> None:
        """Tokens that are not used are there for others, never more than a burst."""
        self.poured(self.one, 0, 100)
        self.poured(self.one, 30, 30)
        self.assertEqual(self.poured(self.two, 0, 100)[0], 70)

    def test_answer_lost(self) -> None:
        """Tokens of which one never heard are not lost."""
        self.poured(self.one, 0, 100)
        self.assertEqual(self.poured(self.one, 0, 100)[0], 100)

    def test_taken_without_asking(self) -> None:
        """What was taken while nobody could be asked is paid off first, no more than a burst of it."""
        self.poured(self.one, 0, 100)
        self.assertEqual(self.poured(self.one, 150, 151), (150, 0.51))
        self.assertEqual(self.poured(self.one, 10**6, 10**6), (10**6, 1.01))

    def test_another_rate(self) -> None:
        """A bucket that is half full is half full under another rate."""
        self.poured(self.one, 0, 50)
        self.assertEqual(self.poured(self.two, 0, 10**6, count=6000, seconds=60)[0], 3000)

    def test_great_rates(self) -> None:
        """Rates of very many tokens a day stay within what numbers hold exactly."""
        upto, _ = self.poured(self.one, 0, 10**9, count=10**9, seconds=DAY)
        self.assertEqual(upto, 10**9)
        self.now += 1
        self.assertEqual(self.poured(self.one, upto, upto + 10**9, count=10**9, seconds=DAY)[0], upto + 10**9 // DAY)

    def test_started_again(self) -> None:
        """A process that counts from nothing again gives nothing back by that."""
        self.poured(self.one, 0, 100)
        again = MemoryLive(self.server, "one", 2)
        self.assertEqual(self.poured(again, 0, 100)[0], 0)

    def test_after_a_loss(self) -> None:
        """A bucket that was lost is empty, so that a loss is no second burst."""
        self.poured(self.one, 0, 100)
        self.server.flush()
        self.assertEqual(self.poured(self.one, 100, 200)[0], 100)
        self.now += 0.5
        self.assertEqual(self.poured(self.one, 100, 200)[0], 150)

    def test_clock_set_back(self) -> None:
        """A clock that is set back brings no tokens, and takes none."""
        self.poured(self.one, 0, 50)
        self.now -= 100
        self.assertEqual(self.poured(self.one, 50, 100)[0], 100)
        self.now += 100
        self.assertEqual(self.poured(self.one, 100, 200)[0], 200)
