"""Processes that are gone, and what is left when everything was lost."""

from typing import Any

from agentgateway.domain.lease import TTL, BucketAsk
from agentgateway.stores.live.scripts import SYNC
from tests.stores.live.asking import HOUR, Steps, asking
from tests.stores.live.memory import MemoryLive

HEARD = 2.5
"""Seconds in which everybody who lives is heard of."""


class GoneTests(Steps):
    """A process that is not heard of any more."""

    def silent(self, spent: int = 100, held: int = 400, at: float = 0.0, **told: Any) -> None:
        """One tells, and is silent for too long from `at` on, as another finds."""
        self.now += at
        self.granted(self.one, spent=spent, held=held, **told)
        self.now += TTL + 1
        self.synced(self.two)

    def test_taken_for_spent(self) -> None:
        """What it had borrowed counts as spent."""
        self.silent()
        grant = self.granted(self.two)
        self.assertEqual((grant.hour[0], grant.day[0], grant.life[0], grant.leased), (400, 400, 400, 0))

    def test_still_alive(self) -> None:
        """Saying nothing of an agent is no silence: being heard of is enough."""
        self.granted(self.one, spent=100, held=400)
        for _ in range(5):
            self.now += TTL / 2
            self.synced(self.one)
            self.synced(self.two)
        self.assertEqual(self.granted(self.two).leased, 300)

    def test_its_places(self) -> None:
        """Its calls hold no place among those that may run at once."""
        self.silent(slots=5, max_slots=5)
        self.assertEqual(self.granted(self.two, slots=5, max_slots=5).slots, 5)

    def test_back(self) -> None:
        """When it comes back, what it did spend counts, and what it still holds is borrowed again."""
        self.silent()
        self.granted(self.one, spent=150, held=400)
        grant = self.granted(self.two)
        self.assertEqual((grant.hour[0], grant.day[0], grant.life[0], grant.leased), (150, 150, 150, 250))

    def test_back_in_another_hour(self) -> None:
        """The hour in which it was taken for gone stays as it was, the day and the life are put right."""
        self.silent()
        self.now += HOUR
        self.granted(self.two, spent=1, in_hour=1)
        self.granted(self.one, spent=150, in_hour=0, held=150)
        grant = self.granted(self.three)
        self.assertEqual((grant.hour[0], grant.day[0], grant.life[0]), (1, 151, 151))
        self.assertEqual(self.granted(self.two, spent=1, need=1000).ceiling, 1000)

    def test_its_calls_may_end_later(self) -> None:
        """What it borrowed takes room in the hour that follows, too: a call of its may end there. Later it does not."""
        self.silent(at=HOUR - TTL - 2)
        self.now += 2
        self.assertEqual(self.granted(self.two, need=701).ceiling, 700 // 2)
        self.assertEqual(self.granted(self.two, need=700).ceiling, 700)
        self.now += 2 * HOUR
        self.assertEqual(self.granted(self.two, need=1000).ceiling, 1000)

    def test_gone_at_the_turn_of_a_day(self) -> None:
        """Taken for gone after midnight, before anybody spoke of the new day: it is the new day that it may have spent in."""
        self.silent(at=14 * HOUR - 5)
        self.now += 2 * HOUR
        self.assertEqual(self.granted(self.two, caps=(None, 1000, None), need=701).day[0], 300)
        self.assertEqual(self.granted(self.two, caps=(None, 1000, None), need=700).ceiling, 700)

    def test_many_agents(self) -> None:
        """One that had to do with very many agents is cleared away little by little."""
        names = [f"agent-{number}" for number in range(250)]
        self.synced(self.one, *(asking(self.now, agent=name, held=10) for name in names))
        self.now += TTL + 1
        leased = []
        for _ in range(4):
            grants = self.synced(self.two, *(asking(self.now, agent=name) for name in names)).grants
            leased.append(sum(grant.leased for grant in grants))
        self.assertEqual(leased, [2500, 1500, 500, 0])
        self.assertNotIn("one", self.server.data()["ag:procs"])

    def test_started_again(self) -> None:
        """A process started again tells what its journal knows; what the former run held is free."""
        self.granted(self.one)
        self.granted(self.one, spent=100, held=400, slots=2, slots_held=2)
        again = MemoryLive(self.server, "one", 2)
        self.granted(again, spent=180)
        grant = self.granted(self.two, need=820)
        self.assertEqual((grant.hour[0], grant.leased, grant.ceiling), (180, 0, 820))

    def test_said_by_a_former_run(self) -> None:
        """What a former run asked, and Redis finds only now, changes nothing that the run after it told."""
        self.granted(self.one)
        late = self.one.desk.sync([asking(self.now)])
        self.granted(MemoryLive(self.server, "one", 2), spent=900)
        self.server.run(SYNC.digest, late)
        grant = self.granted(self.two, need=1000)
        self.assertEqual((grant.hour[0], grant.ceiling), (900, 25))


class LossTests(Steps):
    """Redis comes back empty."""

    def lose(self) -> None:
        """All is lost a moment after two processes have told."""
        self.granted(self.one, spent=100, held=400)
        self.granted(self.two, spent=50, held=50)
        self.server.flush()

    def test_told_again(self) -> None:
        """All tell again what they spent and hold, which is believed; for a while nothing is granted, then all is as it was."""
        self.lose()
        self.assertTrue(self.synced(self.two, asking(self.now, spent=50, held=50, need=1000)).grace)
        self.assertEqual(self.granted(self.two, spent=50, held=50, need=1000).ceiling, 50)
        self.granted(self.one, spent=100, held=400)
        self.now += TTL + 1
        self.synced(self.one)
        grant = self.granted(self.two, spent=50, held=50, need=1000, slots=3)
        self.assertEqual((grant.hour[0], grant.leased, grant.ceiling), (100, 300, 50 + 550 // 4))
        self.assertEqual(grant.slots, 3)

    def test_an_old_copy(self) -> None:
        """A failover to a copy that is a little behind is noticed by whoever was answered since, and is as a loss."""
        self.granted(self.two)
        before = self.synced(self.one).epoch
        copy = self.server.copied()
        self.granted(self.one, need=900)
        self.server.restore(copy)
        self.assertEqual(self.synced(self.two).epoch, before)
        answer = self.synced(self.one, asking(self.now, held=900))
        self.assertTrue(answer.grace)
        self.assertNotEqual(answer.epoch, before)
        self.assertEqual(self.synced(self.two).epoch, answer.epoch)
        self.now += TTL + 1
        self.synced(self.one)
        self.assertEqual(self.granted(self.two, need=101).ceiling, 25)

    def test_another_server(self) -> None:
        """An old copy is noticed also where nobody asked in between: it is on another server, as a new connection shows."""
        self.one.start(lambda news: None)
        self.granted(self.one, need=100, spent=100)
        before = self.synced(self.two).epoch
        copy = self.server.copied()
        self.granted(self.one, spent=900, held=900)
        self.granted(MemoryLive(self.server, "four"), spent=7)
        self.server.restore(copy)
        self.server.move()
        live = MemoryLive(self.server, "five")
        live.start(lambda news: None)
        answer = self.synced(live, asking(self.now, need=700))
        self.assertEqual((answer.grace, answer.grants[0].ceiling), (True, 0))
        self.assertNotEqual(answer.epoch, before)
        self.granted(self.one, spent=900, held=900)
        self.now += TTL + 1
        self.synced(self.one)
        self.assertEqual(self.granted(live, need=101).ceiling, 100 // 6)

    def test_the_same_server(self) -> None:
        """Any number of connections to the same server are no loss."""
        self.server.flush()
        before = self.synced(self.one).epoch
        for number in range(3):
            MemoryLive(self.server, f"{number}").start(lambda news: None)
        self.assertEqual(self.synced(self.one).epoch, before)

    def test_gone_since_the_copy(self) -> None:
        """Who lived when the copy was made, and spent more and died since, spent what the living remember of it."""
        self.two.start(lambda news: None)
        self.granted(self.one, spent=100, held=200, slots=1, max_slots=1)
        self.granted(self.two)
        copy = self.server.copied()
        self.granted(self.one, spent=700, held=900)
        self.now += TTL + 1
        self.synced(self.two)
        gone = self.granted(self.two).gone
        self.server.restore(copy)
        self.server.move()
        self.two.start(lambda news: None)
        grant = self.granted(self.two, gone=gone)
        self.assertEqual((grant.hour[0], grant.life[0], grant.leased), (900, 900, 0))
        self.now += TTL + 1
        self.synced(self.two)
        self.assertEqual(self.granted(self.two, slots=1, max_slots=1).life[0], 900)
        self.granted(MemoryLive(self.server, "one", 2), spent=800)
        self.assertEqual(self.granted(self.two).life[0], 800)

    def test_much_to_tell(self) -> None:
        """Who has more to tell says so, and is waited for; not for ever."""
        self.lose()
        begun = self.now
        while self.synced_telling(self.one):
            self.now += 4
        self.assertEqual(self.now - begun, 60)
        self.lose()
        self.synced_telling(self.one)
        self.now += TTL + 0.1
        self.assertFalse(self.synced(self.one).grace)

    def synced_telling(self, live: MemoryLive) -> bool:
        """Whether there is still grace, for one that tells and has more to tell."""
        return self.successResultOf(live.sync([asking(self.now, spent=100)], True)).grace

    def test_another_epoch(self) -> None:
        """Everybody can tell that it happened."""
        before = self.synced(self.one).epoch
        self.server.flush()
        self.assertNotEqual(self.synced(self.one).epoch, before)

    def test_first_of_all(self) -> None:
        """A fleet that starts for the first time waits until those could have spoken who would know of a loss."""
        self.server.flush()
        answer = self.synced(self.one, asking(self.now, need=10))
        self.assertEqual((answer.grace, answer.begins, answer.grants[0].ceiling), (True, True, 0))
        self.now += HEARD
        answer = self.synced(self.one, asking(self.now, need=10))
        self.assertEqual((answer.grace, answer.begins, answer.grants[0].ceiling), (False, False, 10))

    def test_somebody_new_asks_first(self) -> None:
        """One that has just started asks before the others tell: it is lent nothing of what they hold."""
        self.assertEqual(self.granted(self.one, need=900).ceiling, 900)
        self.server.flush()
        self.assertEqual(self.granted(self.two, need=900).ceiling, 0)
        self.now += 1
        answer = self.synced(self.one, asking(self.now, held=900))
        self.assertEqual((answer.grace, answer.begins), (True, False))
        self.now += HEARD
        self.assertEqual(self.granted(self.two, need=900).ceiling, 0)
        self.now += TTL
        self.synced(self.one)
        self.assertEqual(self.granted(self.two, need=100).ceiling, 100)

    def test_rates_of_the_first(self) -> None:
        """Rates begin full; what was taken before that is gone from them."""
        self.server.flush()
        poured = self.granted(self.one, buckets=(BucketAsk("calls", 100, HOUR, 10, 20),)).buckets[0]
        self.assertEqual((poured.upto, poured.wait), (10, 0))
        self.now += HEARD
        poured = self.granted(self.one, buckets=(BucketAsk("calls", 100, HOUR, 30, 500),)).buckets[0]
        self.assertEqual(poured.upto, 110)

    def test_any_of_a_question(self) -> None:
        """Whoever knows of money spent on any agent knows of a loss, whichever it asks for first."""
        self.server.flush()
        answer = self.synced(self.one, asking(self.now, need=900), asking(self.now, agent="reader", spent=5))
        self.assertTrue(answer.grace)
        self.now += HEARD
        answer = self.synced(self.one, asking(self.now, need=900))
        self.assertEqual((answer.grace, answer.grants[0].ceiling), (True, 0))

    def test_all_started_again(self) -> None:
        """Nor is a fleet fooled that was itself started again: who knows of money spent knows there was something."""
        self.server.flush()
        again = MemoryLive(self.server, "one", 2)
        self.synced(again, asking(self.now, spent=10, need=50))
        self.now += HEARD
        self.assertTrue(self.synced(again).grace)

    def test_the_gone_are_remembered(self) -> None:
        """What processes spent that are gone is known to the living, who tell it; those who come back count once."""
        self.granted(self.one, spent=100, held=400)
        self.now += TTL + 1
        self.synced(self.two)
        gone = self.granted(self.two).gone
        self.granted(self.three, gone=gone)
        self.server.flush()
        for live in (self.two, self.three):
            self.granted(live, gone=gone)
        self.assertEqual(self.granted(self.two, gone=gone).life[0], 400)
        self.granted(MemoryLive(self.server, "one", 2), spent=120)
        self.assertEqual(self.granted(self.two, gone=gone).life[0], 120)

    def test_calls_of_the_gone_may_end_later(self) -> None:
        """What one had borrowed that is gone takes room in the hour that follows also where all was lost in between."""
        self.now += HOUR - TTL - 2
        self.granted(self.one, spent=100, held=400)
        self.now += TTL + 1
        self.synced(self.two)
        gone = self.granted(self.two).gone
        self.server.flush()
        self.granted(self.two, gone=gone)
        self.now += TTL + 1
        self.synced(self.two)
        self.assertEqual(self.granted(self.two, need=701).ceiling, 700 // 2)
        self.granted(self.one, spent=150, in_hour=50, held=150)
        self.assertEqual(self.granted(self.two, need=950).ceiling, 950)

    def test_long_gone(self) -> None:
        """What was borrowed hours ago takes room no more, although it is told anew."""
        self.granted(self.one, spent=100, held=400)
        self.now += TTL + 1
        self.synced(self.two)
        gone = self.granted(self.two).gone
        self.now += 3 * HOUR
        self.server.flush()
        self.granted(self.two, gone=gone)
        self.now += TTL + 1
        self.assertEqual(self.granted(self.two, need=1000).ceiling, 1000)

    def test_the_latest_memory(self) -> None:
        """Where two remember one that is gone differently, the later memory counts, whoever tells first."""
        self.granted(self.three, spent=100)
        self.now += TTL + 1
        self.synced(self.one)
        old = self.granted(self.one).gone
        self.granted(self.three, spent=700)
        self.now += TTL + 1
        self.synced(self.one)
        new = self.granted(self.one).gone
        self.server.flush()
        for gone in (old, new, old):
            self.granted(self.one, gone=gone)
        self.assertEqual(self.granted(self.two).life[0], 700)

    def many_gone(self) -> list[MemoryLive]:
        """Forty that spent 2 and lost 1, the first of them gone longest; another has found them gone."""
        lives = [MemoryLive(self.server, f"gone-{number}") for number in range(40)]
        for live in lives:
            self.granted(live, spent=2, held=3)
            self.now += 0.01
        self.now += TTL + 1
        for _ in lives:
            self.synced(self.two)
        return lives

    def test_very_many_gone(self) -> None:
        """However many are gone, what is remembered of them stays small, and says all they spent."""
        self.many_gone()
        grant = self.granted(self.two)
        self.assertEqual(grant.life[0], 120)
        self.assertLess(len(grant.gone), 5000)
        self.server.flush()
        self.granted(self.two, gone=grant.gone)
        self.assertEqual(self.granted(self.two).life[0], 120)

    def test_returned_of_very_many(self) -> None:
        """Whoever returns is taken out of what is remembered, however long it was gone."""
        lives = self.many_gone()
        self.granted(lives[0], spent=2)
        self.granted(lives[39], spent=2)
        gone = self.granted(self.two).gone
        self.server.flush()
        self.assertEqual(self.granted(self.two, gone=gone).life[0], 114)
        self.granted(lives[38], spent=2)
        self.assertEqual(self.granted(self.two, gone=gone).life[0], 113)
