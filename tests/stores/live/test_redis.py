"""The live state in a real redis-server: its promises, and what happens when it is slow, away, or back without a memory."""

import random
import time
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from agentgateway.domain.lease import Ask, BucketAsk, Grant
from agentgateway.interfaces import LiveError
from agentgateway.stores.live.redis import RedisLive
from tests.redis import Redis
from tests.stores.live.asking import asking
from tests.stores.live.contract import LiveSteps, settled
from tests.stores.live.memory import MemoryLive, MemoryServer

START_OF_TEST = time.time()
PATIENCE = 20.0
"""Seconds in which what is waited for must come about."""


class RedisSteps(TestCase):
    """A server of one's own for each test."""

    password = ""

    def setUp(self) -> None:
        """It answers already."""
        self.server = Redis(self.password)
        self.addCleanup(self.server.stop)

    def make(self, process: str) -> RedisLive:
        """A process of the fleet."""
        live = RedisLive.of(self.server.url, process, reactor)
        self.addCleanup(live.close)
        return live

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for it."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "it never came about")
            await deferLater(reactor, 0.01)

    async def back(self, live: RedisLive) -> Any:
        """The first answer after an outage."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return await live.sync([])
            except LiveError:
                self.assertLess(time.monotonic(), end, "it never came back")
                await deferLater(reactor, 0.02)


class RedisLiveTests(LiveSteps, RedisSteps):
    """The promises."""


class SameTests(RedisSteps):
    """The server and what stands for it in other tests."""

    async def test_the_same_answers(self) -> None:
        """Asked the same at the same time, they answer the same."""
        dice = random.Random(3)
        memory = MemoryServer(lambda: answer.now)
        names = ("one", "two", "three")
        pairs = [(self.make(name), MemoryLive(memory, name, "run")) for name in names]
        for live, _ in pairs:
            live.start(lambda news: None)
        for _ in range(300):
            live, likeness = dice.choice(pairs)
            asks = [some_ask(dice) for _ in range(dice.randrange(4))]
            answer = await live.sync(asks)
            alike = await likeness.sync(asks)
            self.assertEqual([plain(grant) for grant in answer.grants], [plain(grant) for grant in alike.grants])
            self.assertEqual((answer.grace, answer.members), (alike.grace, alike.members))


def some_ask(dice: random.Random) -> Ask:
    """Any numbers, small and large, that a process could tell."""
    spent = dice.choice((0, 1, 128, 70_000, 2**31, 2**40))
    bucket = BucketAsk(
        "calls", dice.choice((1, 100)), dice.choice((1, 86400)), dice.randrange(300), dice.randrange(400)
    )
    return asking(
        START_OF_TEST,
        agent=dice.choice(("writer", "reader")),
        caps=dice.choice(((None, None, None), (10**6, None, 2**52), (None, 2**45, None))),
        spent=spent,
        in_hour=spent // 2,
        held=spent + dice.choice((0, 5, 2**33)),
        need=spent + dice.randrange(1000),
        want=spent + dice.randrange(2**35),
        slots_held=dice.randrange(3),
        slots=dice.randrange(6),
        max_slots=dice.choice((None, 4)),
        buckets=(bucket,) * dice.randrange(2),
    )


def plain(grant: Grant) -> tuple[Any, ...]:
    """Its values, to compare."""
    fields = tuple(getattr(grant, name) for name in Grant.__struct_fields__[:-1])
    return (*fields, msgspec.msgpack.decode(grant.gone))


class PasswordTests(LiveSteps, RedisSteps):
    """The same behind a password."""

    password = "Gehe:im/nis"

    def make(self, process: str) -> RedisLive:
        """The password is percent-encoded in a URL."""
        live = RedisLive.of(f"redis://:Gehe%3Aim%2Fnis@127.0.0.1:{self.server.port}/3", process, reactor)
        self.addCleanup(live.close)
        return live

    async def test_wrong_password(self) -> None:
        """A wrong password is an error that says so, and shows none."""
        live = RedisLive.of(f"redis://:wrong@127.0.0.1:{self.server.port}", "one", reactor)
        self.addCleanup(live.close)
        live.start(lambda news: None)
        error = await self.assertFailure(live.sync([]), LiveError)
        self.assertIn("WRONGPASS", str(error))
        self.assertNotIn("wrong@", repr(live) + str(error))


class OutageTests(RedisSteps):
    """A server that is in trouble."""

    async def started(self, process: str = "one") -> tuple[RedisLive, list[Any]]:
        """A process that has been answered."""
        live, news = self.make(process), []
        live.start(news.append)
        await live.sync([asking(time.time(), need=300)])
        return live, news

    async def test_nobody_there(self) -> None:
        """Where nothing listens questions fail at once, and everything works as soon as something does."""
        self.server.kill()
        live = self.make("one")
        live.start(lambda news: None)
        await self.assertFailure(live.sync([]), LiveError)
        self.assertFalse(live.up)
        self.server.start()
        await self.back(live)
        self.assertTrue(live.up)

    async def test_hangs(self) -> None:
        """A server that hangs costs one question its patience; those after it fail at once, until it answers again."""
        live, _ = await self.started()
        self.server.freeze()
        try:
            await self.assertFailure(live.sync([]), LiveError)
            await self.assertFailure(live.tell("standing", "writer", b"1"), LiveError)
            self.assertEqual(len(settled(*(live.sync([]) for _ in range(100)))), 100)
            self.assertFalse(live.up)
        finally:
            self.server.thaw()
        await self.back(live)

    async def test_late_questions(self) -> None:
        """Questions that a server finds when it wakes up change nothing that was told since, and money is not lost."""
        live, _ = await self.started()
        now = time.time()
        self.server.freeze()
        try:
            await self.assertFailure(live.sync([asking(now, spent=100, held=300, need=900)]), LiveError)
        finally:
            self.server.thaw()
        await self.back(live)
        answer = await live.sync([asking(now, spent=200, held=200)])
        other, _ = await self.started("two")
        grant = (await other.sync([asking(now, held=300)])).grants[0]
        self.assertEqual((answer.grace, grant.hour[0], grant.leased), (False, 200, 0))

    async def test_back_empty(self) -> None:
        """A server that was killed and comes back knows nothing: another epoch, a while without grants, then all is right."""
        live, news = await self.started()
        await live.tell("standing", "writer", b"1")
        before = await live.sync([])
        self.server.kill()
        await self.assertFailure(live.sync([]), LiveError)
        self.server.start()
        after = await self.back(live)
        self.assertNotEqual(after.epoch, before.epoch)
        self.assertEqual((before.grace, after.grace, after.version), (False, True, 0))
        grant = (await live.sync([asking(time.time(), spent=100, held=300, need=900)])).grants[0]
        self.assertEqual(grant.ceiling, 300)
        other = self.make("two")
        other.start(lambda news: None)
        seen = (await other.sync([asking(time.time())])).grants[0]
        self.assertEqual((seen.hour[0], seen.leased), (100, 200))
        await live.tell("standing", "writer", b"1", again=True)
        await self.until(lambda: len(news) == 2)

    async def test_flushed(self) -> None:
        """Emptied while it runs: found with the next answer, and news that are told then are heard."""
        live, news = await self.started()
        for number in range(3):
            await live.tell("standing", f"agent-{number}", b"1")
        await self.until(lambda: len(news) == 3)
        before = (await live.sync([])).epoch
        self.server.command("FLUSHALL")
        answer = await live.sync([])
        self.assertNotEqual(answer.epoch, before)
        self.assertTrue(answer.grace)
        await live.tell("standing", "agent-0", b"2")
        await self.until(lambda: len(news) == 4)
        self.assertEqual((news[3].version, news[3].body), (1, b"2"))

    async def test_scripts_forgotten(self) -> None:
        """A server that forgot the scripts is told them again."""
        live, _ = await self.started()
        self.server.command("SCRIPT", "FLUSH")
        await live.sync([])
        self.assertTrue(live.up)

    async def test_connections_cut(self) -> None:
        """Connections that are cut are made again; news told meanwhile are heard."""
        live, news = await self.started()
        other, _ = await self.started("two")
        for kind in ("pubsub", "normal"):
            self.server.command("CLIENT", "KILL", "TYPE", kind)
        await self.back(other)
        await other.tell("standing", "writer", b"1")
        await self.back(live)
        await self.until(lambda: news)
        await other.tell("standing", "writer", b"2")
        await self.until(lambda: len(news) == 2)

    async def test_deaf(self) -> None:
        """News are heard with the answers, too, and a subscription that brings none is made again."""
        live, news = await self.started()
        other, _ = await self.started("two")
        line = live._news
        await self.until(lambda: line.protocol is not None)
        before = line.protocol
        before.messageReceived = lambda *message: None
        await other.tell("standing", "writer", b"1")
        await live.sync([])
        await live.sync([])
        await self.until(lambda: len(news) == 1 and line.protocol not in (None, before))
        await other.tell("standing", "writer", b"2")
        await self.until(lambda: len(news) == 2)

    async def test_errors(self) -> None:
        """A server that refuses to write is as good as away, until it writes again."""
        live, _ = await self.started()
        self.server.command("REPLICAOF", "127.0.0.1", "1")
        try:
            await self.assertFailure(live.sync([]), LiveError)
        finally:
            self.server.command("REPLICAOF", "NO", "ONE")
        await self.back(live)

    async def test_strangers(self) -> None:
        """What somebody else says on the channel is ignored."""
        live, news = await self.started()
        await self.until(lambda: live._news.protocol is not None)
        self.server.command("PUBLISH", "ag:news", "hello")
        self.server.command("PUBLISH", "ag:news", "7 hello")
        await live.tell("standing", "writer", b"1")
        await self.until(lambda: news)

    async def test_closed(self) -> None:
        """After closing nothing is connected, and nothing is answered."""
        live, _ = await self.started()
        await live.close()
        await self.assertFailure(live.sync([]), LiveError)
        self.assertFalse(live.up)
