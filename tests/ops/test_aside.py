"""Telling other workers what the store cannot be told."""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import News, Words
from agentgateway.ops.aside import AGAIN, GATHERED, PATH, Aside
from agentgateway.workers.siblings import Reply


class Family:
    """Workers 0 and 2; what each is told, and the answers it owes."""

    own = 1
    others = (0, 2)

    def __init__(self) -> None:
        self.told: list[tuple[int, list[str]]] = []
        self.owed: list[Deferred[Any]] = []

    def ask_one(self, number: int, method: bytes, target: bytes, body: bytes = b"") -> "Deferred[Any]":
        """Remember what was said."""
        assert (method, target) == (b"POST", PATH)
        words = msgspec.json.decode(body, type=Words).words
        self.told.append((number, [f"{word.agent} {word.body.decode()}" for word in words]))
        self.owed.append(Deferred())
        return self.owed[-1]

    def answer(self, *statuses: int | None) -> None:
        """Pay, in the order of the questions: a status each; None is no answer."""
        for status in statuses:
            self.owed.pop(0).callback(None if status is None else Reply(self.own, status, b"{}"))


class AsideTests(SynchronousTestCase):
    """Worker 1 tells."""

    def setUp(self) -> None:
        """The store is away."""
        self.family, self.clock, self.away = Family(), Clock(), True
        self.aside = Aside(self.family, lambda: self.away, self.clock)

    def say(self, agent: str, body: bytes) -> None:
        """A word."""
        self.aside.tell(News(0, "standing", agent, "one", body, 7))

    def test_gathered(self) -> None:
        """Each is told once what was said within a moment, of each agent the latest."""
        for agent, body in (("a", b"1"), ("b", b"1"), ("a", b"2")):
            self.say(agent, body)
        self.clock.advance(GATHERED)
        self.assertEqual(self.family.told, [(0, ["a 2", "b 1"]), (2, ["a 2", "b 1"])])
        self.family.answer(200, 200)
        self.clock.advance(10 * AGAIN)
        self.assertEqual(len(self.family.told), 2)

    def test_meanwhile(self) -> None:
        """What is said while one is being told follows, when that is over."""
        self.say("a", b"1")
        self.clock.advance(GATHERED)
        self.say("a", b"2")
        self.clock.advance(AGAIN)
        self.assertEqual(len(self.family.told), 2)
        self.family.answer(200, 200)
        self.clock.advance(GATHERED)
        self.assertEqual(self.family.told[2:], [(0, ["a 2"]), (2, ["a 2"])])

    def test_refused(self) -> None:
        """Who answers that it made a mistake is told again."""
        self.say("a", b"1")
        self.clock.advance(GATHERED)
        self.family.answer(500, 200)
        self.clock.advance(AGAIN)
        self.assertEqual(self.family.told[2:], [(0, ["a 1"])])

    def test_breaks(self) -> None:
        """A question that fails is one that was not answered."""
        self.say("a", b"1")
        self.clock.advance(GATHERED)
        self.family.owed.pop(0).errback(ValueError("odd"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.advance(AGAIN)
        self.assertEqual(self.family.told[2:], [(0, ["a 1"])])

    def test_no_answer(self) -> None:
        """Whoever does not answer is told again, with what was said since, for as long as the store is away."""
        self.say("a", b"1")
        self.say("b", b"1")
        self.clock.advance(GATHERED)
        self.say("a", b"2")
        self.family.answer(200, None)
        self.clock.advance(AGAIN)
        self.assertEqual(self.family.told[2:], [(0, ["a 2"]), (2, ["a 2", "b 1"])])
        self.away = False
        self.family.answer(None, None)
        self.clock.advance(10 * AGAIN)
        self.assertEqual(len(self.family.told), 4)
