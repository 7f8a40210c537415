"""A gateway under load whose PostgreSQL stops, crashes or stands still: no call is worse for it, no record lost or twice."""

import json
import os
from contextlib import ExitStack

from twisted.internet import reactor as _reactor
from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.harness import CONFIG, start_gateway, until
from tests.peers import call_in, post
from tests.postgres import server
from tests.redis import Redis
from tests.stores.history.doubles import Database

OUTAGE = float(os.environ.get("OUTAGE", "5"))
"""Seconds that the database is away."""
CALLERS = 4
CALL = post(
    b"/agents/coder/v1/chat/completions",
    json.dumps({"model": "gpt-4o", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).encode(),
)


class OutageTests(TestCase):
    """A whole gateway, in front of a stand-in provider, with a Redis and a PostgreSQL."""

    timeout = 120 + 2 * OUTAGE

    async def running(self):
        """A gateway with a database of its own."""
        redis = Redis()
        self.addCleanup(redis.stop)
        self.database = Database(self)
        shared = f'store: {{{{live: "{redis.url}", history: "{self.database.url}"}}}}'
        self.gateway = await start_gateway(self, CONFIG.replace('store: "memory:"', shared))
        self.statuses = []
        return self.gateway

    async def load(self, going):
        """Call, one call after the other, as long as `going` says so."""
        caller = await call_in(self, self.gateway.port)
        while going():
            self.statuses.append((await caller.ask(CALL)).status)
            await deferLater(_reactor, 0.005)
        caller.leave()

    def rotate(self):
        """As logrotate does."""
        path = self.gateway.service.live.config.audit.log_file
        os.rename(path, path + ".1")
        self.gateway.service.books.log.reopen()
        return path + ".1"

    def logged(self, *paths):
        """The ids in these files."""
        found = []
        for path in paths:
            with open(path) as file:
                found += [json.loads(line)["id"] for line in file]
        return found

    async def outage(self, begin, end, seconds):
        """Calls go on through it, and the log is rotated in the middle of it; then all records are there.

        Meanwhile the gateway says for how long they wait.
        """
        gateway = await self.running()
        going = True
        loads = gatherResults([ensureDeferred(self.load(lambda: going)) for _ in range(CALLERS)])
        await until(lambda: self.database.ids, 20)
        with ExitStack() as stack:
            stack.callback(end)
            await deferToThread(begin)
            before = len(self.statuses)
            await deferLater(_reactor, seconds / 2)
            rotated = self.rotate()
            await deferLater(_reactor, seconds / 2)
            during = len(self.statuses) - before
            waits = gateway.service.desk.metrics.sources.waits
            self.assertGreater(waits(), seconds / 2)
        going = False
        await loads
        self.assertEqual(set(self.statuses), {200})
        self.assertGreater(during, 20 * seconds)
        wanted = self.logged(gateway.service.live.config.audit.log_file, rotated)
        self.assertEqual(len(wanted), len(self.statuses))
        await until(lambda: len(self.database.ids) >= len(wanted), 40)
        self.assertCountEqual(self.database.ids, wanted)
        await until(lambda: not waits(), 10)

    async def test_stopped(self):
        """Stopped for a while; `OUTAGE=60` makes it a minute."""
        await self.outage(server().stop, server().start, OUTAGE)
        texts = [alert.text for alert in self.gateway.service.alerts.recent]
        self.assertTrue(any("records wait in the log file" in text for text in texts), texts)

    async def test_crashed(self):
        """Crashed, and started again."""
        await self.outage(server().kill, server().start, 1.0)

    async def test_standing_still(self):
        """Standing still, with its connections open."""
        await self.outage(server().freeze, server().thaw, 2.0)

    async def test_away_at_start(self):
        """A gateway starts without its database, and what it served meanwhile is loaded later."""
        redis = Redis()
        self.addCleanup(redis.stop)
        self.database = Database(self)
        shared = f'store: {{{{live: "{redis.url}", history: "{self.database.url}"}}}}'
        server().stop()
        with ExitStack() as stack:
            stack.callback(server().start)
            self.gateway = await start_gateway(self, CONFIG.replace('store: "memory:"', shared))
            caller = await call_in(self, self.gateway.port)
            self.assertEqual((await caller.ask(CALL)).status, 200)
            caller.leave()
        await until(lambda: self.database.ids, 40)
        self.assertEqual(self.database.ids, [one["id"] for one in self.gateway.records])

    async def test_stopping(self):
        """The last records are loaded before a gateway ends."""
        gateway = await self.running()
        caller = await call_in(self, gateway.port)
        for _ in range(5):
            self.assertEqual((await caller.ask(CALL)).status, 200)
        caller.leave()
        await until(lambda: gateway.quiet)
        await gateway.service.stopService()
        self.assertEqual(self.database.ids, [one["id"] for one in gateway.records])
