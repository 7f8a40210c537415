"""What is lent of money and of places, as hours and days turn."""

from agentgateway.domain.lease import caps_body
from agentgateway.stores.live.scripts import SYNC
from tests.stores.live.asking import HOUR, START, Steps, asking


class MoneyTests(Steps):
    """What is borrowed of a cap."""

    def test_half_of_a_fair_share(self) -> None:
        """Who wishes for much gets half a fair share of what is left, so that something is left for others."""
        self.synced(self.two)
        self.assertEqual(self.granted(self.one, want=10**6).ceiling, 250)
        self.assertEqual(self.granted(self.two, want=10**6).ceiling, 187)

    def test_need_comes_first(self) -> None:
        """The last cent goes to whoever has a call waiting for it."""
        self.assertEqual(self.granted(self.one, need=900, want=900).ceiling, 900)
        self.assertEqual(self.granted(self.two, need=100).ceiling, 100)
        self.assertEqual(self.granted(self.three, need=1).ceiling, 0)

    def test_nothing_that_is_too_little(self) -> None:
        """A need that cannot be met takes no more than a wish would: the rest is for calls that fit."""
        self.granted(self.one, need=900)
        self.assertEqual(self.granted(self.two, need=101).ceiling, 25)

    def test_asked_again(self) -> None:
        """An answer that was lost is not counted: who asks again with what it holds gets as much."""
        self.granted(self.one, need=900)
        self.assertEqual(self.granted(self.one, need=900).ceiling, 900)
        self.assertEqual(self.granted(self.two).leased, 900)

    def test_given_back(self) -> None:
        """What is held no more can be borrowed by another."""
        self.granted(self.one, need=1000)
        self.granted(self.one, held=300, spent=300)
        self.assertEqual(self.granted(self.two, need=700).ceiling, 700)

    def test_what_the_others_did(self) -> None:
        """Each hears what all others spent and may still spend, in each window."""
        self.granted(self.one, spent=300, in_hour=100, held=350)
        self.granted(self.two, spent=40, held=50)
        grant = self.granted(self.three)
        self.assertEqual([window[0] for window in (grant.hour, grant.day, grant.life)], [140, 340, 340])
        self.assertEqual(grant.leased, 60)

    def test_more_than_borrowed(self) -> None:
        """What was spent beyond what was borrowed counts in full, and nothing is left over the cap."""
        self.granted(self.one, spent=1500, held=100)
        grant = self.granted(self.two, need=1)
        self.assertEqual((grant.ceiling, grant.hour[0], grant.leased), (0, 1500, 0))

    def test_caps_of_an_operator(self) -> None:
        """Caps that an operator set win over those of the configuration, until they are taken back."""
        self.successResultOf(self.one.tell("caps", "writer", caps_body((50, None, None))))
        self.assertEqual(self.granted(self.one, need=51).ceiling, 25)
        self.successResultOf(self.two.tell("caps", "writer", caps_body(None)))
        self.assertEqual(self.granted(self.one, need=1000).ceiling, 1000)

    def test_without_caps(self) -> None:
        """Where no cap is set whatever is wished is granted."""
        self.assertEqual(self.granted(self.one, caps=(None, None, None), want=10**12).ceiling, 10**12)

    def test_too_late(self) -> None:
        """A question that arrives after a later one of the same process changes nothing."""
        late = self.one.desk.sync([asking(self.now, spent=100, held=1000)])
        self.granted(self.one, spent=200)
        self.server.run(SYNC.digest, late)
        grant = self.granted(self.two)
        self.assertEqual((grant.hour[0], grant.leased), (200, 0))


class WindowTests(Steps):
    """Hours and days turn by the clock of Redis."""

    def test_turned(self) -> None:
        """Who asks for an hour that is over, or not yet there, learns the time, and nothing is done."""
        self.granted(self.one, spent=10, held=100)
        ask = asking(self.now, spent=50, held=100)
        for self.now in (START + HOUR, START - 1.0):
            answer = self.synced(self.one, ask)
            self.assertEqual((answer.grants[0].turned, answer.grants[0].ceiling), (True, 100))
            self.assertEqual(answer.now, self.now)
        self.now = float(START)
        self.assertEqual(self.granted(self.two).hour[0], 10)

    def test_a_new_hour(self) -> None:
        """At the full hour its cap is there again, less what is borrowed still; the cap of all time is not."""
        self.granted(self.one, spent=800, held=1000)
        self.now += HOUR
        grant = self.granted(self.two, need=801)
        self.assertEqual((grant.hour[0], grant.life[0], grant.ceiling), (0, 800, 200))
        self.assertEqual(self.granted(self.two, need=800).ceiling, 800)

    def test_told_later(self) -> None:
        """What was spent in the last hour, and is told in this one, counts for the day and for all time."""
        self.now += HOUR
        self.granted(self.two)
        self.granted(self.one, spent=300, in_hour=0)
        grant = self.granted(self.two)
        self.assertEqual((grant.hour[0], grant.day[0], grant.life[0]), (0, 300, 300))


class PlaceTests(Steps):
    """How many calls may run at once."""

    def test_as_many_as_there_are(self) -> None:
        """All together never more than the limit."""
        self.assertEqual(self.granted(self.one, slots=3, max_slots=5).slots, 3)
        self.assertEqual(self.granted(self.two, slots=3, max_slots=5).slots, 2)
        self.assertEqual(self.granted(self.one, slots_held=1, slots=1, max_slots=5).slots, 1)
        self.assertEqual(self.granted(self.two, slots_held=2, slots=9, max_slots=5).slots, 4)

    def test_a_lower_limit(self) -> None:
        """Places that are taken stay when the limit is lowered; nobody gets another."""
        self.granted(self.one, slots=5, max_slots=5)
        self.assertEqual(self.granted(self.one, slots_held=5, slots=6, max_slots=3).slots, 5)
        self.assertEqual(self.granted(self.two, slots=1, max_slots=3).slots, 0)
