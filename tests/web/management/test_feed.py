"""Following the audit log."""

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.web.management.feed import GATHER, MAX_FOLLOWERS, MAX_WAITING, Feed
from agentgateway.web.management.problems import Problem
from tests.harness import connect, start_gateway, until
from tests.web.management.doubles import record


class Asker:
    """The request of a follower, whose connection a test plays."""

    def __init__(self):
        self.written = []
        self.finished = self.broken_off = False
        self.producer = None
        self._gone = Deferred()

    def notifyFinish(self):
        """As a request's."""
        return self._gone

    def registerProducer(self, producer, streaming):
        """As a request's."""
        assert streaming and self.producer is None
        self.producer = producer

    def unregisterProducer(self):
        """As a request's."""
        self.producer = None

    def write(self, data):
        """As a request's."""
        assert not self.finished and not self.broken_off
        self.written.append(data)

    def finish(self):
        """As a request's."""
        self.finished = True

    def break_off(self):
        """As a request's."""
        self.broken_off = True
        self.leave()

    def leave(self):
        """The connection is gone."""
        self._gone.errback(Failure(ConnectionError()))

    @property
    def ids(self):
        """The records that have come."""
        return [msgspec.json.decode(line)["id"] for line in b"".join(self.written).splitlines()]


class FeedTests(SynchronousTestCase):
    """Followers of a feed."""

    def setUp(self):
        """A feed, and a way to tell it of records."""
        self.clock = Clock()
        self.listeners = []
        self.feed = Feed(self.clock, self.listeners)

    def happen(self, *ids, **fields):
        """More calls are over."""
        for id in ids:
            for listener in self.listeners:
                listener(record(id=id, **fields))

    def follow(self, wanted=lambda record: True, format="jsonl", known=(), page=b""):
        """A follower that has begun."""
        asker = Asker()
        self.feed.follow(asker, wanted, format).begin(set(known), page)
        return asker

    def test_nobody(self):
        """While nobody follows, nobody listens: calls cost nothing for it."""
        self.assertEqual(self.listeners, [])
        asker = self.follow()
        self.assertEqual(len(self.listeners), 1)
        asker.leave()
        self.happen("a")
        self.clock.advance(GATHER)
        self.assertEqual(self.listeners, [])
        again = self.follow()
        self.happen("b")
        self.clock.advance(GATHER)
        self.assertEqual(again.ids, ["b"])

    def test_together(self):
        """Records of the same moment go out in one write, in order."""
        asker = self.follow()
        self.happen("a", "b", "c")
        self.assertEqual(asker.ids, [])
        self.clock.advance(GATHER)
        self.assertEqual(asker.ids, ["a", "b", "c"])
        self.assertEqual(len([data for data in asker.written if data]), 1)

    def test_wanted(self):
        """Each hears only of what it asked for, in its own format."""
        mine = self.follow(lambda record: record.agent == "coder")
        table = self.follow(format="csv", page=b"id,ts\r\n")
        self.happen("a", agent="writer")
        self.happen("b", agent="coder")
        self.clock.advance(GATHER)
        self.assertEqual(mine.ids, ["b"])
        self.assertEqual([row.split(b",")[0] for row in b"".join(table.written).splitlines()], [b"id", b"a", b"b"])

    def test_no_gap(self):
        """What happens while the first page is read is neither lost nor told twice."""
        asker = Asker()
        follower = self.feed.follow(asker, lambda record: True, "jsonl")
        self.happen("a", "b")
        self.clock.advance(GATHER)
        self.assertEqual(asker.written, [])
        follower.begin({"a"}, b'{"id": "a"}\n')
        self.happen("c")
        self.clock.advance(GATHER)
        self.assertEqual(asker.ids, ["a", "b", "c"])

    def test_slow(self):
        """A follower whose connection is full gets the rest when it reads again."""
        asker = self.follow()
        asker.producer.pauseProducing()
        self.happen("a", "b")
        self.clock.advance(GATHER)
        self.assertEqual(asker.ids, [])
        asker.producer.resumeProducing()
        self.assertEqual(asker.ids, ["a", "b"])

    def test_stalled(self):
        """One that does not read is dropped when enough waits for it, without an end; the others go on."""
        stalled, other = self.follow(), self.follow()
        stalled.producer.pauseProducing()
        count = 0
        while not stalled.broken_off:
            count += 1
            self.happen(f"agw_{count}", path="/" + "x" * 10_000)
            self.clock.advance(GATHER)
            self.assertLess(count, MAX_WAITING // 10_000 + 2)
        self.assertFalse(stalled.finished)
        self.assertEqual(len(other.ids), count)
        self.happen("last")
        self.clock.advance(GATHER)
        self.assertEqual(other.ids[-1], "last")

    def test_stalled_store(self):
        """Nor may a follower pile up without end while its first page is waited for."""
        asker = Asker()
        follower = self.feed.follow(asker, lambda record: True, "jsonl")
        while self.feed.followers:
            self.happen("a", path="/" + "x" * 100_000)
        self.assertTrue(asker.broken_off)
        follower.begin(set(), b"page")
        self.assertEqual(asker.written, [])

    def test_too_many(self):
        """There is room for so many; the next is told to come again."""
        askers = [self.follow() for _ in range(MAX_FOLLOWERS)]
        problem = self.assertRaises(Problem, self.feed.follow, Asker(), None, "jsonl")
        self.assertEqual(problem.status, 503)
        askers[0].leave()
        self.follow()

    def test_end(self):
        """When the gateway stops, streams end in order, with all there was."""
        asker = self.follow()
        self.happen("a")
        self.feed.close()
        self.assertEqual((asker.ids, asker.finished, asker.producer), (["a"], True, None))


class SocketTests(TestCase):
    """Over real connections."""

    timeout = 30

    async def follow(self, gateway, query=b""):
        """A connection that has asked to follow."""
        client = await connect(self, gateway.port)
        client.transport.write(b"GET /api/logs?follow=true%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % query)
        await until(lambda: b"\r\n\r\n" in client.received)
        return client

    async def test_flood(self):
        """Thousands of records: who reads loses nothing, who stalls is cut off and costs no memory."""
        gateway = await start_gateway(self)
        service = gateway.service
        stalled, reader = await self.follow(gateway), await self.follow(gateway)
        stalled.transport.pauseProducing()
        sent = 0
        while len(service.desk.feed.followers) > 1:
            for _ in range(50):
                sent += 1
                service.books.append(record(id=f"agw_{sent}", path="/" + "x" * 10_000))
            await until(lambda last=b'"agw_%d"' % sent: last in reader.received[-20_000:])
            self.assertLess(sent, 5_000)
        found = [part.split(b'"')[0] for part in reader.received.split(b'{"id":"')[1:]]
        self.assertEqual(found, [b"agw_%d" % number for number in range(1, sent + 1)])
        stalled.transport.abortConnection()

    async def test_stop(self):
        """A gateway that stops ends the stream; the reader sees that it is whole."""
        gateway = await start_gateway(self)
        reader = await self.follow(gateway, b"&limit=0")
        gateway.service.books.append(record(id="agw_last"))
        gateway.service.desk.feed.close()
        await until(lambda: reader.received.endswith(b"0\r\n\r\n"))
        self.assertIn(b"agw_last", reader.received)

    async def test_leave(self):
        """A reader that goes is forgotten."""
        gateway = await start_gateway(self)
        reader = await self.follow(gateway)
        self.assertEqual(len(gateway.service.desk.feed.followers), 1)
        reader.transport.loseConnection()
        await until(lambda: not gateway.service.desk.feed.followers)
