"""What processes of a fleet tell each other at once."""

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.alert import Alert
from agentgateway.domain.lease import Ask, Kind, News, Synced
from agentgateway.domain.standing import Caps
from agentgateway.ops.pace import Pace
from tests.ops.fleets import Member, Time, member, run
from tests.stores.live.memory import MemoryLive, MemoryServer

CENT = 10_000_000
CONFIG = """
agents:
  "*": {}
  a: {budget: {max_cost_per_hour: 1}, circuit_breaker: {error_threshold: 3, reset_timeout: 5000}}
  b: {}
policies:
  - {name: odd, condition: "errors_this_hour > 2", action: pause, agents: [b]}
"""


@attrs.define
class Counted(MemoryLive):
    """How many words followed each answer."""

    words: list[int] = attrs.Factory(lambda: [0])

    def sync(self, asks: Sequence[Ask], telling: bool = False) -> Deferred[Synced]:
        """From now on they follow this one."""
        self.words.append(0)
        return MemoryLive.sync(self, asks, telling)

    def tell(self, kind: Kind, agent: str, body: bytes, at: int | None = None) -> Deferred[None]:
        """One more."""
        self.words[-1] += 1
        return MemoryLive.tell(self, kind, agent, body, at)


class TidingsTests(SynchronousTestCase):
    """Two processes and their store."""

    def setUp(self) -> None:
        """Both have begun."""
        self.time = Time()
        self.server = MemoryServer(self.time.wall)
        self.one, self.other = self.begin("one"), self.begin("other")

    def begin(self, process: str, run: str = "1", **more: Any) -> Member:
        """A process."""
        return member(self.server, self.time, CONFIG, process, run, **more)

    def pause(self, who: Member, reason: str = "stop it") -> None:
        """An operator's pause."""
        who.fleet.pause(who.agent("a"), "operator", reason, self.time.moment())

    def test_pause(self) -> None:
        """A pause is everybody's at once, is noted there, and is alerted by the one who was asked."""
        self.pause(self.one)
        agent = self.other.agent("a")
        self.assertEqual(agent.pause, self.one.agent("a").pause)
        self.assertEqual(self.other.standings, [agent.standing])
        self.assertEqual((len(self.one.alerts), len(self.other.alerts)), (1, 0))
        self.other.fleet.resume(agent, "go on", self.time.moment())
        self.assertIsNone(self.one.agent("a").pause)

    def test_caps(self) -> None:
        """Caps of an operator are everybody's at once, and the store's."""
        self.one.fleet.set_caps(self.one.agent("a"), Caps(max_cost_per_hour=5 * CENT), self.time.moment())
        self.assertEqual(self.other.agent("a").budget.max_cost_per_hour, 5 * CENT)
        run([self.one, self.other], 1)
        share = self.other.agent("a").account.share
        assert share is not None
        share.borrow(self.time.wall(), 50 * CENT, False)
        answer = self.other.cluster.borrowed("a")
        self.time.advance(0.05)
        self.successResultOf(answer)
        self.assertLessEqual(share.ceiling, 5 * CENT)

    def test_budget(self) -> None:
        """What a budget pauses is not told: each finds out from what all have spent."""
        self.one.fleet.pause(self.one.agent("a"), "budget", "spent", self.time.moment(), self.time.wall() + 9)
        self.assertIsNone(self.other.agent("a").pause)

    def test_overruled(self) -> None:
        """A policy's pause that an operator lifts at one process is not made again by the others."""
        for _ in range(3):
            self.one.spend("b", 0, error=True)
        both = [self.one, self.other]
        run(both, 3)
        for who in both:
            who.fleet.settle_down(self.time.moment())
        self.assertEqual([who.agent("b").pause is not None for who in both], [True, True])
        self.one.fleet.resume(self.one.agent("b"), "I know", self.time.moment())
        for who in both:
            who.fleet.settle_down(self.time.moment())
        self.assertEqual([who.agent("b").pause for who in both], [None, None])

    def test_late(self) -> None:
        """A pause made while the store was away is told when it is back."""
        self.one.live.cut = True
        self.pause(self.one)
        run([self.one], 2)
        self.assertIsNone(self.other.agent("a").pause)
        self.one.live.cut = False
        run([self.one], 2)
        self.assertIsNotNone(self.other.agent("a").pause)

    def test_later_elsewhere(self) -> None:
        """What was said while the store was away does not undo what others said after that."""
        self.pause(self.one)
        self.one.live.cut = True
        self.one.fleet.resume(self.one.agent("a"), "go on", self.time.moment())
        run([self.one], 2)
        self.pause(self.other, "stop it again")
        self.one.live.cut = False
        run([self.one, self.other], 2)
        for who in (self.one, self.other, self.begin("third")):
            pause = who.agent("a").pause
            assert pause is not None
            self.assertEqual(pause.reason, "stop it again")

    def test_hiccup(self) -> None:
        """What could not be told for a moment, in which nothing else was asked, is told with the next answer."""
        self.one.live.cut = True
        self.pause(self.one)
        self.one.live.cut = False
        run([self.one], 1)
        self.assertIsNotNone(self.other.agent("a").pause)

    def test_aside(self) -> None:
        """What the store cannot be told is told those who are near, who tell it in their turn and pass it to nobody else."""
        for who in (self.one, self.other):
            who.live.cut = True
        said: list[News] = []
        self.one.tidings.aside = said.append
        self.other.tidings.aside = self.fail
        self.pause(self.one)
        self.one.fleet.set_caps(self.one.agent("a"), Caps(CENT), self.time.moment())
        breakers = [who.agent("a").breaker("openai") for who in (self.one, self.other)]
        now = self.time.moment().monotonic
        breakers[1].others_opened(now + 9, now)
        breakers[0].reset()
        self.other.tidings.heard_aside(said)
        self.assertEqual(self.other.agent("a").standing, self.one.agent("a").standing)
        self.assertEqual(breakers[1].state(now), "closed")
        self.other.live.cut = False
        run([self.other], 2)
        newcomer = self.begin("third").agent("a")
        self.assertEqual(newcomer.standing, self.one.agent("a").standing)
        self.one.live.cut = False
        run([self.one], 2)
        self.assertEqual((len(said), self.one.agent("a").standing), (3, newcomer.standing))

    def test_newcomer(self) -> None:
        """Who comes later learns how agents stand."""
        self.pause(self.one)
        self.assertIsNotNone(self.begin("third").agent("a").pause)

    def test_forgotten(self) -> None:
        """After the store was lost everybody says again how agents stand."""
        self.pause(self.one)
        self.server.flush()
        run([self.one, self.other], 2)
        self.assertIsNotNone(self.begin("third").agent("a").pause)

    def test_many_forgotten(self) -> None:
        """Of very many agents that is told a few at a time, between which it answers, and nearly each by one of all alone."""
        both = [self.begin(name, make=Counted) for name in ("third", "fourth")]
        names = [f"a{number}" for number in range(60)]
        for name in names:
            both[0].fleet.pause(both[0].agent(name), "operator", "enough", self.time.moment())
        run(both, 1)
        self.server.flush()
        for one in both:
            one.live.words = [0]
        run(both, 3)
        self.assertEqual({f"standing {name}" for name in names}, set(self.server.data()["ag:kept"]))
        words = [count for one in both for count in one.live.words]
        self.assertLess(sum(words), len(names) + 5)  # but for what was told before the other has noticed
        self.assertLessEqual(max(words), Pace().words)

    def test_circuit(self) -> None:
        """Errors count wherever they happen; the circuit opens for all, and closes for all."""
        now = self.time.moment().monotonic
        breakers = [who.agent("a").breaker("openai") for who in (self.one, self.other)]
        for index in range(3):
            breaker = breakers[index % 2]
            breaker.leave(breaker.enter(now), False, now)
            self.time.advance(0.03)
        now = self.time.moment().monotonic
        self.assertEqual([breaker.state(now) for breaker in breakers], ["open", "open"])
        breakers[0].reset()
        self.assertEqual([breaker.state(now) for breaker in breakers], ["closed", "closed"])

    def test_first_probe(self) -> None:
        """The process that found a circuit open tries the provider first; the others follow where it does not."""
        now = self.time.moment().monotonic
        first, second = (who.agent("a").breaker("openai") for who in (self.one, self.other))
        for _ in range(3):
            first.leave(first.enter(now), False, now)
        self.time.advance(5.1)
        now = self.time.moment().monotonic
        self.assertEqual((first.state(now), second.state(now)), ("half_open", "open"))
        self.assertEqual(second.state(now + 1), "half_open")

    def test_warned_once(self) -> None:
        """What all of them find is told by one; what only one of them was told of, always."""
        alert = Alert(self.time.wall(), "budget", "a has spent 75%", "a", once=60)
        for who in (self.one, self.other, self.one):
            who.tidings.warn(alert)
        self.assertEqual(self.one.alerts + self.other.alerts, [alert])
        self.time.advance(61)
        self.other.tidings.warn(alert)
        self.assertEqual(self.other.alerts, [alert])

    def test_warned_all_the_same(self) -> None:
        """While nobody can be asked whether it was told, it is told."""
        self.one.live.cut = True
        self.one.tidings.warn(Alert(self.time.wall(), "budget", "a has spent 75%", "a", once=60))
        self.assertEqual(len(self.one.alerts), 1)
