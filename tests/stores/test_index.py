"""The index of audit records, at a size where only an index helps."""

import os

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.logquery import LogQuery
from agentgateway.stores.database import Database
from agentgateway.stores.index import TRIM_STEP, trim
from tests.stores.doubles import START, States

MANY = """
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)
    INSERT INTO audit (ts, agent, kind, line)
    SELECT {start} * 1000 + i / 3, 'agent-' || (i * 7919 % 50), CASE i % 1000 WHEN 0 THEN 3 ELSE 1 + i % 2 END,
           '{{"id":' || i || '}}' FROM n
"""


class MillionTests(SynchronousTestCase):
    """A page out of a million records."""

    def test_pages(self):
        """Rare ends, busy agents and narrow times are found among a million records, newest last."""
        states = States(self)
        os.mkdir(states.current)
        database = Database(os.path.join(states.current, "ledger.sqlite"), None, 0.0)
        self.addCleanup(database.close)
        database.open()
        connection = database._writing
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("INSERT INTO kinds VALUES (1, 200, 'ok'), (2, 402, 'refused'), (3, 500, 'upstream_error')")
        connection.execute(MANY.format(start=int(START)))

        def kind(i):
            return 3 if i % 1000 == 0 else 1 + i % 2

        def numbers(**what):
            return [int(line[6:-1]) for line in database.find(LogQuery(100, **what))]

        every = range(1_000_000)
        self.assertEqual(numbers(), list(every[-100:]))
        self.assertEqual(numbers(outcome="upstream_error"), [i for i in every if kind(i) == 3][-100:])
        self.assertEqual(
            numbers(agent="agent-7", status=500), [i for i in every if kind(i) == 3 and i * 7919 % 50 == 7][-100:]
        )
        self.assertEqual(
            numbers(agent="agent-7", until=START + 100),
            [i for i in every if i * 7919 % 50 == 7 and i // 3 < 100_000][-100:],
        )
        self.assertEqual(
            numbers(since=START + 333, until=START + 333.01), [i for i in every if 333_000 <= i // 3 < 333_010]
        )
        self.assertEqual(numbers(agent="agent-7", since=START + 10**6), [])

    def test_trim_in_steps(self):
        """Far too many rows are deleted a step at a time, so that no checkpoint takes long."""
        states = States(self)
        os.mkdir(states.current)
        database = Database(os.path.join(states.current, "ledger.sqlite"), None, 0.0)
        self.addCleanup(database.close)
        database.open()
        connection = database._writing
        trim(connection, 10, 0)
        connection.execute(MANY.replace("999999", "19999").format(start=int(START)))
        left = []
        for _ in range(5):
            trim(connection, 10, 0)
            left += connection.execute("SELECT count(*) FROM audit").fetchone()
        self.assertEqual(left, [19_999 - TRIM_STEP, 19_998 - 2 * TRIM_STEP, 19_997 - 3 * TRIM_STEP, 10, 10])
