"""Questions to the history; the contract of stores asks the usual ones."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import encode
from agentgateway.domain.logquery import LogQuery, millis
from agentgateway.stores.history.queries import find
from agentgateway.stores.history.records import insert
from tests.stores.doubles import START, record
from tests.stores.history.doubles import Database

MONTH = 31 * 86_400
TIMES = st.none() | st.floats(-1e15, 1e15) | st.sampled_from([START, START + MONTH, START + 2.5])
QUERIES = st.builds(
    LogQuery,
    limit=st.integers(-1, 2**40) | st.integers(0, 9),
    agent=st.none() | st.sampled_from(["a", "b", "", "\0", "'", "\ud800"]),
    status=st.none() | st.sampled_from([200, 402, 0, -1, 2**70]),
    outcome=st.none() | st.sampled_from(["ok", "refused", "\0", "\ud800", "'; DROP TABLE audit; --"]),
    since=TIMES,
    until=TIMES,
)


class FindTests(SynchronousTestCase):
    """Pages."""

    def setUp(self):
        """Records of three months, not in order of time."""
        self.connection = Database(self).connection
        ends = ((200, "ok"), (402, "refused"), (200, "cut"))
        self.records = [
            record(
                number, START + number * 37 % 10 + number % 3 * MONTH, (None, "a", "b")[number % 3], *ends[number % 2]
            )
            for number in range(60)
        ]
        insert(self.connection, b"".join(encode(one) + b"\n" for one in self.records), None)
        self.connection.commit()

    def test_any_question(self):
        """Whatever is asked, the answer is that of a search through all records."""

        @given(QUERIES)
        @settings(max_examples=150)
        def check(query):
            wanted = sorted(filter(query.matches, self.records), key=lambda one: millis(one.ts))
            wanted = wanted[max(0, len(wanted) - query.count) :]
            found = [json.loads(line)["id"] for line in find(self.connection, query)]
            self.assertEqual(found, [one.id for one in wanted])

        check()

    def test_page_of_many(self):
        """A page is read from the ends of indexes, not from all that was ever written."""
        self.connection.execute(
            "INSERT INTO audit (id, ts, agent, kind, line) SELECT 'n' || n, to_timestamp(%s + n), 'a', 1, '{}' "
            "FROM generate_series(1, 5000) AS n",
            (START,),
        )
        self.connection.execute("ANALYZE audit")
        statements = []

        class Seen:
            """A connection that is looked over the shoulder."""

            def execute(seen, statement, *args):
                statements.append((statement, args))
                return self.connection.execute(statement, *args)

        self.assertEqual(len(find(Seen(), LogQuery(10, agent="a"))), 10)
        statement, args = statements[-1]
        plan = "\n".join(row[0] for row in self.connection.execute("EXPLAIN " + statement.as_string(None), *args))
        self.assertIn("Index Scan", plan)
        self.assertNotIn("Seq Scan on audit", plan)
