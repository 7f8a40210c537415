"""Processes of one fleet: what they borrow, tell and give back."""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import Synced
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import Caps
from agentgateway.ops.pace import MOST, Pace
from tests.ops.fleets import Member, Time, member, run
from tests.stores.live.memory import MemoryServer

CENT = 10_000_000
CONFIG = """
agents:
  hard: {budget: {max_cost_per_hour: 1, enforcement: hard}}
  loose: {budget: {max_cost_per_hour: 1}}
  paced: {rate_limit: 6/min, max_concurrency: 3}
  plain: {}
  wide: {budget: {max_cost_per_hour: 1000, enforcement: hard}, rate_limit: 100000/min}
  "*": {budget: {max_cost_total: 1, enforcement: hard}}
"""


POLICIES = """
policies:
  - {name: failing, condition: "error_rate > 0.5", action: pause, agents: [plain]}
  - {name: fast, condition: "cost_per_minute > 0.5", action: pause, agents: [plain]}
"""


class Late:
    """A live state whose answers arrive when the test says so."""

    def __init__(self, live: Any) -> None:
        self.live = live
        self.waiting: list[tuple[Deferred[Synced], Synced]] = []

    def sync(self, asks: Any, telling: bool = False) -> Deferred[Synced]:
        """Done at once, answered later."""
        waiting: Deferred[Synced] = Deferred()
        self.live.sync(asks, telling).addCallback(lambda synced: self.waiting.append((waiting, synced)))
        return waiting

    def arrive(self) -> None:
        """All answers so far."""
        waiting, self.waiting = self.waiting, []
        for one, synced in waiting:
            one.callback(synced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.live, name)


class Passing(Time):
    """Time that goes on between two looks at it, and has no past to call things in, as a reactor's."""

    def seconds(self) -> float:
        """A little later each time."""
        self.rightNow += 1e-5
        return float(self.rightNow)

    def callLater(self, delay: float, *what: Any, **more: Any) -> Any:
        """Not sooner than now."""
        assert delay >= 0, delay
        return super().callLater(delay, *what, **more)


class Slow(Pace):
    """Five agents a second."""

    def __init__(self) -> None:
        super().__init__(portion=5)

    def answered(self, now: float, took: float) -> None:
        """A second of rest."""
        self.portion, self.free_at = 5, now + 0.9


class Two(SynchronousTestCase):
    """Two processes and their store."""

    def setUp(self) -> None:
        """Both have begun."""
        self.time = Time()
        self.server = MemoryServer(self.time.wall)
        self.one, self.other = self.both = [self.begin("one"), self.begin("other")]

    def begin(self, process: str, run: str = "1", **link: Any) -> Member:
        """A process."""
        return member(self.server, self.time, CONFIG, process, run, **link)

    def now(self) -> Moment:
        """The time."""
        return self.time.moment()

    def borrow(self, who: Member, name: str, cost: int) -> bool:
        """A call of that cost, as the pipeline does it: it waits where it must; whether it fits."""
        share = who.agent(name).account.share
        assert share is not None
        for waited in range(3):
            if not share.borrow(self.now().wall, cost, waited > 0):
                break
            answer = who.cluster.borrowed(name)
            self.time.advance(0.05)
            self.successResultOf(answer)
        return who.agent(name).account.fits(self.now().wall, cost) is None


class ClusterTests(Two):
    """All is well."""

    def test_borrowed(self) -> None:
        """A call that finds nothing borrowed waits for one answer, a moment, and then fits."""
        share = self.one.agent("hard").account.share
        assert share is not None
        self.assertTrue(share.borrow(self.now().wall, CENT, False))
        answer = self.one.cluster.borrowed("hard")
        self.assertNoResult(answer)
        self.time.advance(0.01)
        self.successResultOf(answer)
        self.assertIsNone(self.one.agent("hard").account.fits(self.now().wall, CENT))

    def test_time_passes(self) -> None:
        """A call is asked for at once however long the asking takes."""
        self.time = Passing()
        one = self.begin("third")
        self.time.advance(1)
        answer = one.cluster.borrowed("hard")
        self.time.advance(0.01)
        self.successResultOf(answer)

    def test_no_rest(self) -> None:
        """A call does not wait for longer because the store was slow a moment ago; all else does."""
        self.one.cluster.pace.answered(self.time.seconds(), 1.0)
        rounds = self.server.rounds
        self.one.cluster.beat()
        self.time.advance(0.5)
        self.assertEqual(self.server.rounds, rounds)
        answer = self.one.cluster.borrowed("hard")
        self.time.advance(0.01)
        self.successResultOf(answer)

    def test_busy(self) -> None:
        """A store that has answered while this process was busy was not slow; one that is waited for is."""
        one, portions = self.one, []
        one.cluster.live = live = Late(one.live)
        for steps in ([0.3], [0.02] * 3):
            one.cluster.beat()
            self.time.pump(steps)
            live.arrive()
            portions.append(one.cluster.pace.portion)
        self.assertEqual(portions, [MOST, MOST // 2])

    def test_cap(self) -> None:
        """Both together spend a cap, and nobody a nano-dollar more."""
        self.assertTrue(self.borrow(self.one, "hard", 70 * CENT))
        self.one.spend("hard", 70 * CENT)
        self.assertFalse(self.borrow(self.other, "hard", 31 * CENT))
        self.assertTrue(self.borrow(self.other, "hard", 30 * CENT))
        self.other.spend("hard", 30 * CENT)
        run(self.both, 2)
        for who in self.both:
            agent = who.agent("hard")
            self.assertEqual(agent.account.total.cost, 100 * CENT)
            self.assertEqual((agent.pause is not None and agent.pause.by), "budget")

    def test_resumed(self) -> None:
        """A budget's pause ends everywhere with its hour."""
        self.borrow(self.one, "hard", 100 * CENT)
        self.one.spend("hard", 100 * CENT)
        run(self.both, 2)
        self.time.advance(3600)
        run(self.both, 1)
        for who in self.both:
            who.fleet.settle_down(self.now())
            self.assertIsNone(who.agent("hard").pause)
        self.assertTrue(self.borrow(self.other, "hard", 100 * CENT))

    def test_given_back(self) -> None:
        """What one has borrowed and not used another can have after two or three seconds."""
        self.borrow(self.one, "hard", 90 * CENT)
        self.assertFalse(self.borrow(self.other, "hard", 50 * CENT))
        run(self.both, 4)
        self.assertTrue(self.borrow(self.other, "hard", 100 * CENT))

    def test_gone(self) -> None:
        """A process that is killed has spent what it borrowed, until it is back and says otherwise."""
        self.borrow(self.one, "hard", 60 * CENT)
        self.one.cluster.running = False
        run([self.other], 15)
        self.assertEqual(self.other.agent("hard").account.total.cost, 60 * CENT)
        self.assertFalse(self.borrow(self.other, "hard", 50 * CENT))
        again = self.begin("one", "2")
        run([self.other, again], 2)
        self.assertEqual(self.other.agent("hard").account.total.cost, 0)
        self.assertTrue(self.borrow(self.other, "hard", 100 * CENT))

    def test_noted(self) -> None:
        """An agent of the template is written down before money is borrowed for it, so that it is told of after a kill."""
        self.borrow(self.one, "somebody", CENT)
        self.assertEqual([standing.agent for standing in self.one.standings], ["somebody"])

    def test_stopped(self) -> None:
        """A process that stops gives everything back at once."""
        self.borrow(self.one, "hard", 90 * CENT)
        self.one.agent("paced").bucket.borrow(self.now().monotonic, 6)  # type: ignore[union-attr]
        self.time.advance(0.1)
        self.successResultOf(self.one.cluster.stopService())
        self.assertTrue(self.borrow(self.other, "hard", 100 * CENT))

    def test_stopped_while_asking(self) -> None:
        """It gives back also what an answer brings that comes only then; all it tells is in the journal by then."""
        late = self.one.cluster.live = Late(self.one.live)
        share = self.one.agent("hard").account.share
        assert share is not None
        share.borrow(self.now().wall, 90 * CENT, False)
        answer = self.one.cluster.borrowed("hard")
        self.time.advance(0.1)
        done: list[str] = []
        self.one.cluster.flush = lambda: done.append("journal")
        stopped = self.one.cluster.stopService()
        stopped.addCallback(lambda _: done.append("stopped"))
        self.assertEqual(done, [])
        late.arrive()
        self.successResultOf(answer)
        late.arrive()
        self.successResultOf(stopped)
        self.assertEqual((done[0], done[-1]), ("journal", "stopped"))
        self.assertTrue(self.borrow(self.other, "hard", 100 * CENT))

    def spend_steadily(self) -> None:
        """Both have borrowed ahead."""
        for _ in range(3):
            for who in self.both:
                self.assertTrue(self.borrow(who, "hard", 2 * CENT))
                who.spend("hard", 2 * CENT)
            run(self.both, 0.4)

    def test_cap_lowered(self) -> None:
        """Once a lower cap is known to all, what was borrowed under the old one cannot be spent beyond it."""
        self.spend_steadily()
        agent, account = self.one.agent("hard"), self.one.agent("hard").account
        spent = sum(who.agent("hard").account.life.cost for who in self.both)
        for who in self.both:
            borrowed = who.agent("hard").account.room(self.now().wall)
            self.assertTrue(borrowed is not None and borrowed >= 2 * CENT)
        self.one.fleet.set_caps(agent, Caps(spent + 2 * CENT, None, None), self.now())
        for who in self.both:
            if who.agent("hard").account.fits(self.now().wall, 2 * CENT) is None:
                who.spend("hard", 2 * CENT)
        run(self.both, 2)
        self.assertLessEqual(account.hour(self.now().wall).cost, spent + 2 * CENT)
        for who in self.both:
            if self.borrow(who, "hard", 2 * CENT):
                who.spend("hard", 2 * CENT)
        run(self.both, 3)
        self.assertEqual(account.hour(self.now().wall).cost, spent + 2 * CENT)

    def test_cap_lowered_meanwhile(self) -> None:
        """An answer to what was asked under the old cap gives nothing beyond the new one."""
        account = self.one.agent("hard").account
        share = account.share
        assert share is not None
        self.assertTrue(share.borrow(self.now().wall, 50 * CENT, False))
        ask = self.one.agent("hard").ask(self.now())
        synced = self.successResultOf(self.one.live.sync([ask]))
        account.set_caps(evolve(account.budget, max_cost_per_hour=5 * CENT))
        self.one.agent("hard").granted(ask, synced.grants[0], self.now())
        self.assertEqual((synced.grants[0].ceiling >= 50 * CENT, share.ceiling), (True, 0))
        self.assertTrue(self.borrow(self.one, "hard", 5 * CENT))

    def test_rate(self) -> None:
        """Both together take no more tokens than there are, and learn when the next one comes."""
        taken = 0
        for _ in range(6):
            for who in self.both:
                bucket = who.agent("paced").bucket
                assert bucket is not None
                if bucket.wait(self.now().monotonic) > 0 and bucket.borrow(self.now().monotonic):
                    self.time.advance(0.05)
                if bucket.wait(self.now().monotonic) == 0:
                    bucket.charge(self.now().monotonic, 1)
                    taken += 1
        self.assertEqual(taken, 6)
        bucket = self.other.agent("paced").bucket
        assert bucket is not None
        self.assertTrue(9 < bucket.wait(self.now().monotonic) < 10)

    def test_places(self) -> None:
        """Both together have no more calls at once than the limit."""
        for who, wanted in ((self.one, 2), (self.other, 2)):
            places = who.agent("paced").places
            assert places is not None
            for _ in range(wanted):
                places.borrow(self.now().monotonic)
            self.time.advance(0.06)
        held = [who.agent("paced").places.held for who in self.both]  # type: ignore[union-attr]
        self.assertEqual(held, [2, 1])

    def test_few_questions(self) -> None:
        """A thousand calls, a hundred a second on two processes, cost the store fewer than thirty questions."""
        before = 0
        for number in range(2000):
            who = self.both[number % 2]
            if number == 1000:
                before = self.server.rounds
            self.assertTrue(self.borrow(who, "wide", CENT))
            bucket = who.agent("wide").bucket
            assert bucket is not None
            if bucket.wait(self.now().monotonic) > 0 and bucket.borrow(self.now().monotonic):
                self.time.advance(0.05)
            bucket.charge(self.now().monotonic, 1)
            who.spend("wide", CENT // 2)
            self.time.advance(0.01)
            if number % 100 == 99:
                for one in self.both:
                    one.cluster.beat()
        self.assertLess(self.server.rounds - before, 30)

    def test_everybody_knows(self) -> None:
        """What one spent shows at the other within a few seconds, though nobody calls there."""
        self.one.spend("plain", 5 * CENT, error=True)
        run(self.both, 3)
        account = self.other.agent("plain").account
        self.assertEqual((account.total.cost, account.hour(self.now().wall).errors), (5 * CENT, 1))
        self.assertEqual(account.life.cost, 0)

    def test_many(self) -> None:
        """Hundreds of agents are told of within a beat, in portions."""
        for index in range(450):
            self.one.spend_free(f"a{index}")
        before = self.server.rounds
        self.one.cluster.beat()
        self.time.pump([0.02] * 10)
        self.assertEqual(self.server.rounds - before, 3)
        account = self.other.agent("a449").account
        run([self.other], 8)
        self.assertEqual(account.total.calls, 1)

    def test_idle(self) -> None:
        """Who has nothing to tell says once a second that he is there, and nothing more often."""
        run(self.both, 3)
        before = self.server.rounds
        run(self.both, 5)
        self.assertEqual(self.server.rounds - before, 10)


class BeginningTests(Two):
    """A store that is empty."""

    def setUp(self) -> None:
        """Nobody has begun."""
        self.time = Time()
        self.server = MemoryServer(self.time.wall)
        self.server.flush()

    def test_first_calls(self) -> None:
        """The first calls of a new fleet wait the few seconds until money is lent, and then fit."""
        self.one, self.other = self.both = [self.begin("one"), self.begin("other")]
        answers = []
        for who in self.both:
            share = who.agent("hard").account.share
            assert share is not None
            self.assertTrue(share.borrow(self.now().wall, 50 * CENT, False))
            answers.append(who.cluster.borrowed("hard"))
        rounds = self.server.rounds
        run(self.both, 2)
        for answer in answers:
            self.assertNoResult(answer)
        self.assertLess(self.server.rounds - rounds, 30)
        run(self.both, 1)
        for who, answer in zip(self.both, answers, strict=True):
            self.successResultOf(answer)
            self.assertTrue(self.borrow(who, "hard", 50 * CENT))

    def test_all_begin_again(self) -> None:
        """Where all were restarted with an empty store, whoever has spent anything on one of many agents says so at once."""
        config = CONFIG + "".join(f"  a{number}: {{}}\n" for number in range(600))
        one = member(self.server, self.time, config, "one")
        one.spend("a599", CENT)
        self.server.flush()
        one.live.desk.epoch, one.link.begins = "", False
        one.cluster.startService()
        self.assertEqual((one.link.grace, one.link.begins), (True, False))

    def test_others_do_not_wait(self) -> None:
        """Meanwhile calls go on that need no money from the fleet."""
        self.one, self.other = self.both = [self.begin("one"), self.begin("other")]
        run(self.both, 0.5)
        share, bucket = self.one.agent("loose").account.share, self.one.agent("paced").bucket
        assert share is not None and bucket is not None
        self.assertFalse(share.borrow(self.now().wall, CENT, False))
        self.assertEqual(bucket.wait(self.now().monotonic), 0)

    def test_not_new_after_all(self) -> None:
        """Where somebody comes who knows that there was something before nobody waits for so long."""
        self.one, self.other = self.both = [self.begin("one"), self.begin("other")]
        share = self.one.agent("hard").account.share
        assert share is not None
        self.assertTrue(share.borrow(self.now().wall, 50 * CENT, False))
        answer = self.one.cluster.borrowed("hard")
        run(self.both, 1)
        self.assertNoResult(answer)
        self.other.spend("plain", 5 * CENT)
        self.other.cluster._epoch = self.other.live.desk.epoch = "before"
        run(self.both, 2)
        self.successResultOf(answer)
        self.assertFalse(share.borrow(self.now().wall, 50 * CENT, True))
        run(self.both, 10)
        self.assertTrue(self.borrow(self.one, "hard", 50 * CENT))

    def test_much_to_tell(self) -> None:
        """Nothing is lent while somebody still tells what it did, however long that takes."""
        self.one, self.other = self.both = [self.begin("one"), self.begin("other")]
        for number in range(90):
            self.one.spend_free(f"a{number}")
        run(self.both, 3)
        self.server.flush()
        self.one.cluster.pace = Slow()
        run(self.both, 12)
        self.assertTrue(self.other.link.grace and self.one.cluster.turns.untold)
        run(self.both, 10)
        self.assertEqual((self.other.link.grace, self.one.cluster.turns.untold), (False, set()))

    def test_much_to_say(self) -> None:
        """Nor while somebody still says which caps operators have set: others do not know of them."""
        one = self.begin("one")
        for number in range(20):
            one.fleet.set_caps(one.agent(f"a{number}"), Caps(max_cost_total=CENT), self.now())
        run([one], 3)
        self.server.flush()
        one.cluster.pace = Slow()
        run([one], 12)
        self.assertTrue(one.link.grace and one.tidings.owes)
        run([one], 14)
        self.assertFalse(one.link.grace or one.tidings.owes)


class OutageTests(Two):
    """The store is away, for one of them or for all."""

    def cut(self, who: Member, seconds: float = 1.0) -> None:
        """The network is cut, and this process notices."""
        who.live.cut = True
        run(self.both, seconds)

    def test_told_once(self) -> None:
        """It is told when it goes, and when it is back: once each."""
        self.cut(self.one, 3)
        self.assertTrue(self.one.link.away)
        self.one.live.cut = False
        run(self.both, 2)
        texts = [alert.text for alert in self.one.alerts]
        self.assertEqual(
            [text.split("(")[0].split(":")[0] for text in texts],
            [
                "the shared store does not answer ",
                "the shared store answers again",
            ],
        )
        self.assertEqual([alert.good for alert in self.one.alerts], [False, True])
        self.assertFalse(self.one.link.away)

    def test_of_no_use(self) -> None:
        """What was asked about in an answer that nobody can make sense of is asked about again."""
        self.one.spend("plain", 7 * CENT)
        live = self.one.live
        broken = self.one.cluster.live = Late(live)
        broken.sync = lambda *asks: fail(ValueError("nonsense"))  # type: ignore[method-assign]
        run([self.one], 2)
        self.assertGreater(len(self.flushLoggedErrors(ValueError)), 0)
        self.one.cluster.live = live
        run(self.both, 4)
        self.assertEqual(self.other.agent("plain").account.total.cost, 7 * CENT)

    def test_all_let_go(self) -> None:
        """Nor does a call wait on that wants something else when the store goes away: nobody will be answered soon."""
        answers = []
        self.one.live.cut = True
        for index in range(450):
            answers.append(self.one.cluster.borrowed(f"a{index}"))
        self.time.advance(0.01)
        for answer in answers:
            self.successResultOf(answer)

    def test_goes_on(self) -> None:
        """A process goes on with what it has borrowed, and no call waits for the store."""
        self.borrow(self.one, "hard", 30 * CENT)
        self.cut(self.one)
        self.assertTrue(self.borrow(self.one, "hard", 30 * CENT))
        self.assertFalse(self.borrow(self.one, "hard", 31 * CENT))
        self.assertTrue(self.borrow(self.one, "loose", 90 * CENT))

    def test_settled_afterwards(self) -> None:
        """What was spent meanwhile is told once, when the store is back."""
        self.borrow(self.one, "hard", 30 * CENT)
        self.cut(self.one)
        self.one.spend("hard", 20 * CENT)
        self.one.spend("plain", 7 * CENT)
        run(self.both, 20)
        self.assertEqual(self.other.agent("hard").account.total.cost, 30 * CENT)
        self.one.live.cut = False
        run(self.both, 4)
        for who in self.both:
            costs = [who.agent(name).account.total.cost for name in ("hard", "plain")]
            self.assertEqual(costs, [20 * CENT, 7 * CENT])

    def test_flushed(self) -> None:
        """A store that forgot everything is told again, and lends nothing before that."""
        self.borrow(self.one, "hard", 30 * CENT)
        self.one.spend("hard", 30 * CENT)
        run(self.both, 2)
        self.server.flush()
        run(self.both, 2)
        self.assertTrue(self.one.link.grace)
        self.assertFalse(self.borrow(self.other, "hard", 10 * CENT))
        run(self.both, 12)
        self.assertFalse(self.other.link.grace)
        self.assertEqual(self.other.agent("hard").account.total.cost, 30 * CENT)
        self.assertFalse(self.borrow(self.other, "hard", 71 * CENT))
        self.assertTrue(self.borrow(self.other, "hard", 70 * CENT))

    def test_policies(self) -> None:
        """Policies and budgets go by what was known before while a store that forgot everything is told again."""
        one = member(self.server, self.time, CONFIG + POLICIES, "third")
        self.borrow(self.other, "hard", 100 * CENT)
        self.other.spend("hard", 100 * CENT)
        for _ in range(9):
            self.other.spend("plain", 10 * CENT)
        one.spend("plain", CENT, error=True)
        both = [self.other, one]
        run(both, 90)
        self.assertEqual(one.agent("hard").pause.by, "budget")
        self.server.flush()
        for step in range(150):
            self.time.advance(0.1)
            for who in both if step > 50 else [one]:
                who.cluster.beat()
            one.fleet.settle_down(self.now())
            self.assertIsNone(one.agent("plain").pause)
            self.assertIsNotNone(one.agent("hard").pause)
        self.assertFalse(one.link.away)

    def test_policies_of_who_begins(self) -> None:
        """Who begins while a store is told again pauses nobody by what only some have told; afterwards it does."""
        self.other.spend("plain", CENT)
        run(self.both, 2)
        self.server.flush()
        one = member(self.server, self.time, CONFIG + POLICIES, "third")
        one.spend("plain", CENT, error=True)
        for paused in (False, True):
            run([one], 1)
            one.fleet.settle_down(self.now())
            self.assertEqual((one.link.grace, one.agent("plain").pause is not None), (not paused, paused))
            one.spend("plain", CENT, error=True)
            run([one, self.other], 12)

    def test_warned_once(self) -> None:
        """What a store that forgot everything is told again is no reason to warn again."""
        self.borrow(self.one, "hard", 80 * CENT)
        self.one.spend("hard", 80 * CENT)
        run(self.both, 3)
        self.server.flush()
        run([self.other, self.one], 15)
        self.assertEqual(self.other.agent("hard").account.total.cost, 80 * CENT)
        warnings = [alert for who in self.both for alert in who.alerts if alert.kind == "budget"]
        self.assertEqual(len(warnings), 1)

    def test_waiting(self) -> None:
        """A call that waits while the store goes away is let go, not forgotten."""
        share = self.one.agent("hard").account.share
        assert share is not None
        share.borrow(self.now().wall, CENT, False)
        answer = self.one.cluster.borrowed("hard")
        self.one.live.cut = True
        run(self.both, 0.5)
        self.successResultOf(answer)
