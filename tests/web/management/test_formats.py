"""Audit records as JSON, lines and CSV."""

import csv
import io

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import encode
from agentgateway.web.management.formats import COLUMNS, page
from tests.web.management.doubles import record


class FormatTests(SynchronousTestCase):
    """The same records in each form."""

    def lines(self, *records):
        """Records as the log has them."""
        return [encode(one) for one in records]

    def test_json(self):
        """JSON is one array, an empty one too."""
        self.assertEqual(page([], "json"), b"[]")
        found = msgspec.json.decode(page(self.lines(record(id="a"), record(id="b")), "json"))
        self.assertEqual([one["id"] for one in found], ["a", "b"])

    def test_jsonl(self):
        """Lines are one object each."""
        lines = page(self.lines(record(id="a"), record(id="b", reason="two\nlines")), "jsonl").splitlines()
        self.assertEqual([msgspec.json.decode(line)["id"] for line in lines], ["a", "b"])

    def test_csv(self):
        """CSV has the names on top, and reads back as it was."""
        text = page(self.lines(record(path='/a,"b"\n', tags=("x", "y"))), "csv").decode()
        head, row = csv.reader(io.StringIO(text, newline=""))
        self.assertEqual(tuple(head), COLUMNS)
        cells = dict(zip(head, row, strict=True))
        self.assertEqual((cells["path"], cells["tags"], cells["reason"]), ('/a,"b"\n', "x y", ""))
        self.assertEqual((cells["input_tokens"], cells["stream"], cells["cost_usd"]), ("10", "false", "0.001"))

    def test_formulas(self):
        """A name that a stranger chose never becomes a formula in somebody's spreadsheet."""
        for evil in ("=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
            text = page(self.lines(record(agent=evil, tags=(evil,))), "csv").decode()
            _, row = csv.reader(io.StringIO(text, newline=""))
            self.assertEqual(row[COLUMNS.index("agent")], "'" + evil)
            self.assertEqual(row[COLUMNS.index("tags")], "'" + evil)
