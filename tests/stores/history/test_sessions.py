"""Connections in threads, with a real PostgreSQL: failures, limits, the end."""

import socket
import threading

from twisted.internet import reactor as _reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.interfaces import StoreError
from agentgateway.stores.history.sessions import Address, Sessions
from tests.harness import until
from tests.postgres import server

OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def ask(connection, statement="SELECT 1"):
    """One number."""
    return connection.execute(statement).fetchone()[0]


class AddressTests(SynchronousTestCase):
    """What operators write."""

    def test_limits(self):
        """Connecting and silence have limits of their own, unless the address says otherwise."""
        address = Address.of("postgresql://u:pass@h/d?keepalives_idle=99")
        self.assertIn("connect_timeout=3", address.conninfo)
        self.assertIn("keepalives_idle=99", address.conninfo)

    def test_secret(self):
        """The password is never shown: not by the address, nor in what it explains, nor where it is no address at all."""
        address = Address.of("postgresql://u:pass@h/d")
        self.assertNotIn("pass", repr(address))
        self.assertEqual(address.explain(ValueError("no 'pass'\n\n  here")), "no '***' here")
        self.assertEqual(Address.of("postgresql://h/d").explain(ValueError("")), "ValueError")
        for wrong in ("postgresql://u:pass@h:port/d", "pass", "postgresql://[pass", "postgresql://u:a@pass@h/d"):
            self.assertNotIn("pass", str(self.assertRaises(StoreError, Address.of, wrong)), wrong)

    def test_long(self):
        """What a server says is cut to what fits into a line."""
        self.assertEqual(len(Address.of("postgresql://h/d").explain(ValueError("x" * 9999))), 300)


class SessionsTests(TestCase):
    """Real threads."""

    timeout = 60

    def sessions(self, url=None, threads=1, patience=10.0, keep=True):
        """Some, closed with the test."""
        sessions = Sessions(_reactor, Address.of(url or server().database()), threads, patience, keep)
        self.addCleanup(sessions.close)
        return sessions

    async def fails(self, deferred):
        """With StoreError; its text."""
        return str(await self.assertFailure(deferred, StoreError))

    async def test_work(self):
        """Work is done in another thread, in a transaction, on a connection that is kept."""
        sessions = self.sessions()

        def work(connection, number):
            connection.execute("CREATE TABLE IF NOT EXISTS mine (number integer)")
            connection.execute("INSERT INTO mine VALUES (%s)", (number,))
            pid = ask(connection, "SELECT pg_backend_pid()")
            return (
                threading.current_thread() is threading.main_thread(),
                pid,
                ask(connection, "SELECT sum(number) FROM mine"),
            )

        first, second = await gatherResults([sessions.run(work, 5), sessions.run(work, 6)])
        self.assertEqual((first[0], first[2], second[2]), (False, 5, 11))
        self.assertEqual(first[1], second[1])

    async def test_failing_work(self):
        """What fails leaves nothing behind, and does not harm what comes after it."""
        sessions = self.sessions()

        def work(connection):
            connection.execute("CREATE TABLE mine (number integer)")
            connection.execute("SELECT nothing")

        self.assertIn("nothing", await self.fails(sessions.run(work)))
        self.assertIsNone(await sessions.run(ask, "SELECT to_regclass('mine')"))
        await self.assertFailure(sessions.run(lambda connection: 1 // 0), ZeroDivisionError)
        self.assertEqual(await sessions.run(ask), 1)

    async def test_not_kept(self):
        """Who only asks now and then takes no connection from the others in between, and makes no change by halves."""
        url = server().database()
        asking, watching = self.sessions(url, keep=False), self.sessions(url)
        self.assertEqual(await asking.run(ask, "INSERT INTO kinds (status, outcome) VALUES (1, 'ok') RETURNING id"), 1)
        self.assertEqual(await asking.run(ask, "SELECT count(*) FROM kinds"), 1)
        while await watching.run(ask, OTHERS):
            pass

    async def test_away(self):
        """A server that is away fails work with the reason; when it is back the next work is done."""
        sessions = self.sessions()
        self.assertEqual(await sessions.run(ask), 1)
        server().stop()
        try:
            await self.fails(sessions.run(ask))
            self.assertIn("refused", await self.fails(sessions.run(ask)))
        finally:
            server().start()
        self.assertEqual(await sessions.run(ask), 1)

    async def test_wrong_address(self):
        """A database that is not there is told without the password."""
        text = await self.fails(self.sessions(server().database("nowhere")).run(ask))
        self.assertIn('database "nowhere" does not exist', text)
        self.assertNotIn("sesame", text)

    async def test_silent(self):
        """A server that takes connections in and says nothing is given up, while the reactor goes on."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=2"
            stuck, turns = self.sessions(url).run(ask), 0
            stuck.addErrback(lambda failure: failure)
            while not stuck.called:
                await deferLater(_reactor, 0.01)
                turns += 1
            self.assertIn("timeout", await self.fails(stuck))
        self.assertGreater(turns, 20)

    async def test_slow_statement(self):
        """The server ends what takes too long."""
        self.assertIn("timeout", await self.fails(self.sessions(patience=1.0).run(ask, "SELECT pg_sleep(60)")))

    async def test_standing_still(self):
        """Work on a server that stands still is ended all the same, and the reactor never waits for it."""
        sessions = self.sessions(patience=1.0)
        self.assertEqual(await sessions.run(ask), 1)
        server().freeze()
        try:
            stuck = sessions.run(ask)
            stuck.addBoth(lambda result: result)
            await until(lambda: sessions.sweep() or stuck.called, 20)
            await self.assertFailure(stuck, StoreError)
        finally:
            server().thaw()
        self.assertEqual(await sessions.run(ask), 1)

    async def test_cut(self):
        """What is under way can be ended at once."""
        sessions = self.sessions(threads=2)
        both = [sessions.run(ask, "SELECT pg_sleep(60)") for _ in range(2)]
        await until(lambda: len(sessions._works) == 2)
        sessions.cut()
        for one in both:
            await self.fails(one)

    async def test_close(self):
        """Closing ends what is under way, and what waits; no thread and no connection is left."""
        url = server().database()
        sessions = Sessions(_reactor, Address.of(url), 1, 2.0)
        await sessions.run(ask)
        three = [sessions.run(ask, "SELECT pg_sleep(60)") for _ in range(3)]
        await until(lambda: sessions._works)
        closed = sessions.close()
        texts = [await self.fails(one) for one in three]
        self.assertEqual(texts[1:], ["the gateway stops"] * 2)
        await closed
        self.assertEqual([one.name for one in threading.enumerate() if "PoolThread" in one.name and one.is_alive()], [])
        watching = self.sessions(url)
        while await watching.run(ask, OTHERS):
            pass

    async def test_close_unused(self):
        """Those that nobody used close at once."""
        await Sessions(_reactor, Address.of("postgresql://h/d"), 1, 1.0).close()
