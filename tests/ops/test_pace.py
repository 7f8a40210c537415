"""How much is asked at once, and how soon again; and a crowd of processes that have lost their store."""

from itertools import islice
from random import Random
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.standing import Caps
from agentgateway.ops.pace import FEWEST, MOST, PATIENT, REST, RETRY, Pace
from tests.ops.crowd import EACH, SlowLive, SlowStore
from tests.ops.fleets import Member, Time, member

PROCESSES, AGENTS, CAPPED = 120, 250, 80
STEP = 0.01
CONFIG = 'agents: {"*": {}}'


class PaceTests(SynchronousTestCase):
    """One process."""

    def setUp(self) -> None:
        """No dice."""
        self.pace = Pace(lambda low, high: low)

    def test_unanswered(self) -> None:
        """Without an answer less is asked each time, and later; but never nothing, nor so late as to seem gone."""
        portions, pauses = [], []
        for _ in range(8):
            self.pace.unanswered(100.0)
            portions.append(self.pace.portion)
            pauses.append(self.pace.free_at - 100)
        self.assertEqual(portions, [100, 50, 25, 12, 10, 10, 10, 10])
        self.assertEqual(pauses, [RETRY, 2 * RETRY, *[PATIENT] * 6])

    def test_answered(self) -> None:
        """With quick answers more is asked each time, up to the most, and the next pause is a short one again."""
        for _ in range(10):
            self.pace.unanswered(100.0)
        self.pace.answered(100.0, 0.0)
        self.assertEqual(self.pace.portion, 2 * FEWEST)
        for _ in range(30):
            self.pace.answered(100.0, 0.0)
        self.assertEqual(self.pace.portion, MOST)
        self.pace.unanswered(100.0)
        self.assertEqual(self.pace.free_at, 100 + RETRY)

    def test_slow(self) -> None:
        """A slow answer leaves the others time before the next question, which is a smaller one."""
        self.pace.answered(100.5, 0.5)
        self.assertEqual((self.pace.portion, self.pace.free_at), (MOST // 2, 100.5 + 0.5 * REST))

    def test_quick(self) -> None:
        """A quick answer may be followed by the next question at once: calls wait for it."""
        self.pace.answered(100.01, 0.01)
        self.assertEqual((self.pace.portion, self.pace.free_at), (MOST, 100.01))

    def test_not_all_at_once(self) -> None:
        """Those who got no answer at the same time ask again at different times."""
        paces = [Pace(Random(seed).uniform) for seed in range(20)]
        for pace in paces:
            pace.unanswered(100.0)
        self.assertEqual(len({pace.free_at for pace in paces}), 20)


class CrowdTests(SynchronousTestCase):
    """Many processes that each have spent on many agents; to tell all of it takes the store far longer than they wait."""

    def setUp(self) -> None:
        """All of it is told."""
        self.time = Time()
        self.store = SlowStore(self.time)
        self.lives = [SlowLive(self.store, f"{number}") for number in range(PROCESSES)]
        self.members = [self.begin(live, seed) for seed, live in enumerate(self.lives)]
        self.assertGreater(PROCESSES * MOST * EACH, 1.0)
        self.run_until(self.told, 30)

    def begin(self, live: SlowLive, seed: int) -> Member:
        """A process, and what it spent."""
        one = member(self.store, self.time, CONFIG, live.process, make=lambda *_: live)
        one.cluster.pace = evolve(one.cluster.pace, dice=Random(seed).uniform)
        for agent in range(AGENTS):
            one.spend_free(f"a{agent}")
        return one

    def told(self) -> bool:
        """Whether the store knows of all that everybody spent, and everybody was answered last."""
        return len(self.store.known) == PROCESSES * AGENTS and all(one.link.up for one in self.members)

    def run_until(self, done: Any, seconds: float) -> None:
        """Let time pass; all beat at the same moment, which is the worst."""
        for step in range(int(seconds / STEP)):
            if done():
                return
            if step % 100 == 0:
                for one in self.members:
                    one.cluster.beat()
            self.time.advance(STEP)
        self.assertTrue(done(), len(self.store.known))

    def test_emptied(self) -> None:
        """Emptied, the store is told everything again, by everybody."""
        self.store.lose()
        self.run_until(self.told, 20)

    def test_words(self) -> None:
        """Nor are many agents' caps too much to be told, by everybody: few of these words are told in vain."""
        for one in self.members:
            for agent in islice(one.fleet, CAPPED):
                agent.caps, agent.capped_at = Caps(1), 1
        self.store.lose()
        before = sum(live.unanswered for live in self.lives)
        self.run_until(lambda: self.told() and len(self.store.words) == PROCESSES * CAPPED, 30)
        self.assertLess(sum(live.unanswered for live in self.lives) - before, PROCESSES * CAPPED // 10)

    def test_away(self) -> None:
        """After an outage everybody is back, though all have much to tell, and from then on nobody asks in vain."""
        self.store.away = True
        self.run_until(lambda: not any(one.link.up for one in self.members), 3)
        for one in self.members:
            for agent in range(AGENTS):
                one.spend_free(f"a{agent}")
        self.store.away = False
        self.store.lose()
        self.run_until(self.told, 20)
        before = self.time.seconds()
        unanswered = sum(live.unanswered for live in self.lives)
        self.run_until(lambda: self.time.seconds() > before + 3, 4)
        self.assertEqual(sum(live.unanswered for live in self.lives), unanswered)
