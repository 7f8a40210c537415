"""Records into PostgreSQL."""

import re
import time
from decimal import Decimal
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import encode
from agentgateway.stores.history.records import insert
from tests.stores.doubles import START, record
from tests.stores.history.doubles import Database, numbered


def lines(*records):
    """As they are in the log."""
    return b"".join(encode(one) + b"\n" for one in records)


class InsertTests(SynchronousTestCase):
    """What comes of lines."""

    def setUp(self):
        """A database."""
        self.database = Database(self)
        self.connection = self.database.connection

    def insert(self, data, oldest=None):
        """In a transaction; the ids that are there then."""
        insert(self.connection, data, oldest)
        self.connection.commit()
        return self.database.ids

    def test_in_order(self):
        """Records keep their order and their lines, byte for byte."""
        records = [record(number, START + number % 3) for number in range(50)]
        self.assertEqual(self.insert(lines(*records)), [one.id for one in records])
        found = self.database.rows("SELECT line FROM audit ORDER BY place")
        self.assertEqual([line.encode() for (line,) in found], [encode(one) for one in records])

    def test_once(self):
        """A record that is there already, or comes twice at once, is there once."""
        self.insert(lines(*numbered(1, 2)))
        self.assertEqual(self.insert(lines(*numbered(2, 3, 3, 1))), ["r1", "r2", "r3"])

    def test_no_record(self):
        """What is no record is passed over: torn lines, other programs' lines, bytes that are no text."""
        whole = encode(record(1))
        odd = (
            whole[:-9], whole[3:], b"", b"[]", b"{}", b"null", b"\xff\xfe", b"\\.", b'{"id": "a\x00b"}',
            whole.replace(b'"r1"', b'"\xc3"'), whole.replace(b"200", b"2000000000000"),
            whole.replace(b'"2026', b'"26'), whole.replace(b"Z\"", b"\""), whole.replace(b"r1", b"r" * 999),
        )  # fmt: skip
        self.assertEqual(self.insert(b"\n".join([*odd, whole, *odd, b""])), ["r1"])
        self.assertEqual(self.insert(b"nothing at all\n"), ["r1"])

    def test_odd_texts(self):
        """Whatever callers and providers may put into a record, it is there."""
        odd = "\0\t\n\\N\\.\"'\x7f\u2028\U0001f600"
        one = msgspec.structs.replace(record(1), agent=odd, model=odd, reason=odd, outcome=odd, tags=(odd,))
        self.insert(lines(one))
        ((line, agent, outcome),) = self.database.rows(
            "SELECT line, agent, outcome FROM audit JOIN kinds ON kind = kinds.id"
        )
        self.assertEqual(msgspec.json.decode(line)["model"], odd)
        self.assertEqual((agent, outcome), (odd.replace("\0", "\ufffd"),) * 2)

    def test_months(self):
        """Each record is in the partition of its month, which is made when it is first needed."""
        self.insert(lines(record(1, START), record(2, START + 40 * 86_400), record(3, START)))
        where = self.database.rows("SELECT id, tableoid::regclass::text FROM audit ORDER BY place")
        self.assertEqual(where, [("r1", "audit_2026_10"), ("r2", "audit_2026_12"), ("r3", "audit_2026_10")])

    def test_too_old(self):
        """Records of months that are not kept are not taken."""
        records = [record(1, START), record(2, START + 31 * 86_400)]
        self.assertEqual(self.insert(lines(*records), (2026, 12)), [])
        self.assertEqual(self.insert(lines(*records), (2026, 11)), ["r2"])
        self.assertEqual(self.insert(lines(*records), (2026, 10)), ["r2", "r1"])

    def test_kinds(self):
        """Each way a call may end is written once, and no number is used up for nothing."""
        for status in (200, 500, 200, 500, 200):
            self.insert(lines(record(status, START, "a", status)))
        self.assertEqual(self.database.rows("SELECT id, status FROM kinds ORDER BY 1"), [(1, 200), (2, 500)])

    def test_documented(self):
        """The questions in the documentation can be asked as they stand there."""
        now = time.time()
        self.insert(lines(record(1, now, "a"), record(2, now, "b"), record(3, now, "b", 402, "refused")))
        page = Path(__file__).resolve().parents[3] / "docs" / "history.md"
        costs, ends = re.findall(r"^```sql\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        self.assertEqual(self.database.rows(costs), [("b", "m", 2, Decimal("0.50")), ("a", "m", 1, Decimal("0.25"))])
        self.assertEqual([row[1:] for row in self.database.rows(ends)], [(200, "ok", 2), (402, "refused", 1)])

    def test_rolled_back(self):
        """Without the caller's commit nothing has happened."""
        insert(self.connection, lines(record(1)), None)
        self.connection.rollback()
        self.assertEqual(self.insert(lines(record(2))), ["r2"])
