"""What the tests of history share: sessions without threads, a log, and an archive on a database of its own."""

import os
from contextlib import suppress

import psycopg
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from agentgateway.domain.audit import encode
from agentgateway.domain.logquery import LogQuery
from agentgateway.interfaces import StoreError
from agentgateway.stores.history.archive import Archive
from agentgateway.stores.history.loader import Loader
from agentgateway.stores.history.schema import prepare
from tests.postgres import server
from tests.stores.doubles import record


class InlineSessions:
    """Work is done when `run` returns; `trouble` is what it fails with. Checks that nothing is asked of closed ones."""

    def __init__(self, url):
        self.url = url
        self.trouble = None
        self.closed = False
        self.sweeps = 0
        self._connection = None

    def run(self, work, *args, **kwargs):
        """In a transaction."""
        assert not self.closed
        try:
            if self.trouble is not None:
                raise StoreError(self.trouble)
            if self._connection is None:
                self._connection = psycopg.connect(self.url)
                prepare(self._connection, 10.0)
            result = work(self._connection, *args, **kwargs)
            self._connection.commit()
        except Exception:
            self.drop()
            return fail()
        return succeed(result)

    def drop(self):
        """Without a commit."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def sweep(self):
        """Nothing can take long."""
        self.sweeps += 1

    def cut(self):
        """Nothing is under way."""

    def close(self):
        """For good."""
        self.closed = True
        self.drop()
        return succeed(None)


class HeldSessions:
    """Pieces of work that wait in `held` until the test fires them."""

    def __init__(self):
        self.held = []
        self.cuts = 0

    def run(self, work, *args, **kwargs):
        """Wait."""
        self.held.append(Deferred())
        return self.held[-1]

    def sweep(self):
        """Not here."""

    def cut(self):
        """All that waits fails."""
        self.cuts += 1
        for held in self.held:
            if not held.called:
                held.errback(StoreError("cut"))

    def close(self):
        """Like that."""
        self.cut()
        return succeed(None)


class Log:
    """An audit log as the gateway writes it, and what rotation does to it."""

    def __init__(self, folder, name="audit.jsonl"):
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(os.path.abspath(folder), name)

    def write(self, *records):
        """Append them."""
        self.raw(b"".join(encode(one) + b"\n" for one in records))

    def raw(self, data):
        """Append bytes."""
        with open(self.path, "ab") as file:
            file.write(data)

    def rotate(self, suffix=".1"):
        """Rename it; the next write makes a new one."""
        os.rename(self.path, self.path + suffix)
        return self.path + suffix


def numbered(*numbers, **what):
    """Records that are told apart by number."""
    return [record(number, **what) for number in numbers]


class Database:
    """A database of a test's own, and a connection to look into it."""

    def __init__(self, case):
        self.url = server().database()
        self._case = case

    @property
    def connection(self):
        """A new one, fit for use."""
        connection = psycopg.connect(self.url)
        self._case.addCleanup(connection.close)
        prepare(connection, 10.0)
        return connection

    def rows(self, statement, *args):
        """What a query gives."""
        with psycopg.connect(self.url) as connection:
            connection.execute("SET search_path TO agentgateway")
            connection.execute("SET timezone TO 'UTC'")
            return connection.execute(statement, args).fetchall()

    @property
    def ids(self):
        """Of all records, in the order they came."""
        with suppress(psycopg.errors.UndefinedTable):
            return [id for (id,) in self.rows("SELECT id FROM audit ORDER BY place")]
        return []


class Site:
    """One process: its log, its archive, a clock and what it told operators."""

    def __init__(self, case, database, folder, name="audit.jsonl", months=None, process="p1"):
        self.case = case
        self.log = Log(folder, name)
        self.clock = Clock()
        self.clock.advance(1_792_886_400.0)
        self.alerts = []
        self.loader = Loader(self.log.path, months, self.clock.seconds)
        self.writing, self.reading = InlineSessions(database.url), InlineSessions(database.url)
        case.addCleanup(self.writing.drop)
        case.addCleanup(self.reading.drop)
        self.archive = Archive(process, self.loader, self.writing, self.reading, self.alerts.append, self.clock)

    def load(self, *records):
        """Write these and load all that there is."""
        if records:
            self.log.write(*records)
            self.archive.changed()
        self.finish(self.archive.load())

    def finish(self, deferred):
        """Let time pass until it is over."""
        self.clock.pump([0.05] * 200) if not deferred.called else None
        return self.case.successResultOf(deferred)

    def ids(self, **what):
        """What a query finds."""
        import json

        lines = self.case.successResultOf(self.archive.find(LogQuery(**what)))
        return [json.loads(line)["id"] for line in lines]
