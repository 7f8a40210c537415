"""What happens when Redis is slow, away, or back without a memory."""

import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import succeed

from agentgateway.interfaces import LiveError
from agentgateway.stores.live.redis import RedisLive
from tests.stores.live.asking import asking
from tests.stores.live.contract import settled
from tests.stores.live.served import RedisSteps


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
        await live.tell("standing", "writer", b"1", at=0)
        await self.until(lambda: len(news) == 2)

    async def test_an_old_file(self) -> None:
        """A server that begins anew from an old file is as one that lost everything, whoever finds it first."""
        live, _ = await self.started()
        now = time.time()
        await live.sync([asking(now, spent=10, held=300)])
        self.server.command("SAVE")
        answer = await live.sync([asking(now, spent=300, held=300, need=900)])
        held = answer.grants[0].ceiling
        await live.close()
        self.server.kill()
        self.server.start()
        other, _ = await self.started("two")
        found = await other.sync([asking(now, need=900)])
        self.assertTrue(found.grace)
        self.assertNotEqual(found.epoch, answer.epoch)
        back = RedisLive.of(self.server.url, "one", 2, reactor)
        self.addCleanup(back.close)
        back.start(lambda news: None)
        await back.sync([asking(now, spent=900, held=held)])
        found = await other.sync([asking(now)])
        self.assertEqual((found.grants[0].life[0], found.grants[0].leased), (900, 0))

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
        await live.sync([])  # what was told until now needs no subscription
        before = line.protocol
        before.messageReceived = lambda *message: None
        await other.tell("standing", "writer", b"1")
        await self.until(lambda: live.sync([]) is not None and line.protocol is not before)
        await self.until(lambda: len(news) == 1 and line.protocol is not None)
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

    async def test_nonsense(self) -> None:
        """An answer that makes no sense is none."""
        live, _ = await self.started()
        live._questions.protocol.execute_command = lambda *command: succeed(b"\xc1")
        await self.assertFailure(live.sync([]), LiveError)

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
