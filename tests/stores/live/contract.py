"""What every live state promises, whatever is behind it."""

import time
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from agentgateway.domain.lease import BucketAsk, News, caps_body, caps_told
from agentgateway.interfaces import ILive
from tests.stores.live.asking import asking


class LiveSteps:
    """Mixed into a TestCase that has `make(process)`, a state not started yet, and `until(condition)`, which waits."""

    def started(self, process: str) -> tuple[Any, list[News]]:
        """A process, and the news it hears."""
        live, news = self.make(process), []
        live.start(news.append)
        return live, news

    def test_interface(self) -> None:
        """It does all that the gateway asks of it."""
        verifyObject(ILive, self.make("one"))

    async def test_lends(self) -> None:
        """Two processes together are lent no more than the cap, and know of each other."""
        one, two = self.started("one")[0], self.started("two")[0]
        now = time.time()
        first = (await one.sync([asking(now, need=600, want=600)])).grants[0]
        second = await two.sync([asking(now, need=400, want=900), asking(now, agent="reader", need=1000)])
        self.assertEqual((first.agent, first.ceiling), ("writer", 600))
        self.assertEqual([(grant.agent, grant.ceiling) for grant in second.grants], [("writer", 400), ("reader", 1000)])
        self.assertEqual((second.grants[0].leased, second.members), (600, 2))
        self.assertLess(abs(second.now - now), 60)
        self.assertTrue(one.up)

    async def test_all_of_an_ask(self) -> None:
        """Places, rates of any name, and sums come back as they were told."""
        one, two = self.started("one")[0], self.started("two")[0]
        now = time.time()
        buckets = (BucketAsk("calls", 10, 3600, 0, 7), BucketAsk("Größe", 5, 3600, 0, 9))
        ask = asking(now, agent="Schreiber-ü", spent=123, held=2**53, slots=4, max_slots=3, buckets=buckets)
        await one.sync([asking(now)])
        grant = (await one.sync([ask])).grants[0]
        self.assertEqual((grant.agent, grant.ceiling, grant.slots), ("Schreiber-ü", 2**53, 3))
        self.assertEqual([(bucket.name, bucket.upto) for bucket in grant.buckets], [("calls", 7), ("Größe", 5)])
        self.assertGreater(grant.buckets[1].wait, 600)
        other = (await two.sync([asking(now, agent="Schreiber-ü", gone=grant.gone)])).grants[0]
        self.assertEqual((other.hour, other.day, other.life), ((123, 123, 0, 0, 0),) * 3)
        self.assertEqual(other.leased, 2**53 - 123)

    async def test_news(self) -> None:
        """What one tells all hear, itself too, in order, any bytes."""
        one, mine = self.started("one")
        two, theirs = self.started("two")
        await one.sync([])
        await two.sync([])
        await one.tell("standing", "writer", b"\x00\xff\r\n$5")
        await two.tell("circuit", "writer", b"")
        await one.tell("standing", "reader", b"2")
        await self.until(lambda: len(mine) == len(theirs) == 3)
        self.assertEqual(mine, theirs)
        self.assertEqual([news.version for news in mine], [1, 2, 3])
        self.assertEqual(mine[0], News(1, "standing", "writer", "one", b"\x00\xff\r\n$5"))
        self.assertEqual((mine[1].origin, mine[1].body), ("two", b""))

    async def test_told_before(self) -> None:
        """Whoever comes later hears what is still the latest, and nothing twice."""
        one, mine = self.started("one")
        for number in range(5):
            await one.tell("standing", "writer", b"%d" % number)
            await one.tell("circuit", f"agent-{number}", b"open")
        two, theirs = self.started("two")
        await two.sync([])
        await self.until(lambda: len(theirs) == 6)
        await one.tell("standing", "writer", b"last")
        await self.until(lambda: len(theirs) == 7)
        self.assertEqual([news.version for news in theirs], [2, 4, 6, 8, 9, 10, 11])
        await self.until(lambda: mine[-1].version == 11)

    async def test_failures_pass_by(self) -> None:
        """Counts of failures reach those who listen, and are not kept."""
        one, mine = self.started("one")
        await one.sync([])
        await one.tell("standing", "writer", b"1")
        await self.until(lambda: mine)
        await one.tell("failures", "writer", b"3")
        await self.until(lambda: len(mine) == 2)
        self.assertEqual((mine[1].version, mine[1].kind, mine[1].body), (0, "failures", b"3"))
        two, theirs = self.started("two")
        await self.until(lambda: len(theirs) == 1)
        self.assertEqual((await two.sync([])).version, 1)

    async def test_told_again(self) -> None:
        """Of what was said at some time the latest counts, whoever tells it first."""
        one, mine = self.started("one")
        await one.tell("standing", "writer", b"new", at=7)
        await one.tell("standing", "writer", b"old", at=7)
        await one.tell("standing", "reader", b"old", at=0)
        await self.until(lambda: len(mine) == 2)
        self.assertEqual([(news.agent, news.body) for news in mine], [("writer", b"new"), ("reader", b"old")])

    async def test_caps(self) -> None:
        """Caps that are told hold from the next grant on."""
        one, mine = self.started("one")
        await one.tell("caps", "writer", caps_body((None, 30, None)))
        await self.until(lambda: mine)
        self.assertEqual(caps_told(mine[0].body), (None, 30, None))
        grant = (await one.sync([asking(time.time(), need=31)])).grants[0]
        self.assertEqual(grant.ceiling, 15)

    async def test_listener_breaks(self) -> None:
        """A listener that fails hears the next news all the same."""
        live, heard = self.make("one"), []

        def listen(news: News) -> None:
            heard.append(news)
            raise ValueError("odd news")

        live.start(listen)
        await live.tell("standing", "writer", b"1")
        await live.tell("standing", "reader", b"2")
        await self.until(lambda: len(heard) == 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    async def test_once(self) -> None:
        """A thing is said by the first of the fleet alone."""
        one, two = self.started("one")[0], self.started("two")[0]
        self.assertEqual([await one.once("writer 80%", 60), await two.once("writer 80%", 60)], [True, False])
        self.assertTrue(await two.once("reader 80%", 60))


def settled(*waiting: Deferred[Any]) -> list[Any]:
    """The results there are by now, failures as they are."""
    results: list[Any] = []
    for one in waiting:
        one.addBoth(results.append)
    return results
