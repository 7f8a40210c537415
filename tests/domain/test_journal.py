"""The journal's records, whose order of fields is a format on disk."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.counters import Tally
from agentgateway.domain.journal import Counted, Record, Released, Reserved, Settled

LINES: list[tuple[bytes, Record]] = [
    (b'["hold","coder","agw_1",500,7.5]', Reserved("coder", "agw_1", 500, 7.5)),
    (b'["settle","coder","agw_1",300,8.5,1,0,20,30]', Settled("coder", "agw_1", 300, 8.5, 1, 0, 20, 30)),
    (b'["free","coder","agw_1"]', Released("coder", "agw_1")),
    (b'["count","coder",8.5,true,20,30]', Counted("coder", 8.5, True, 20, 30)),
]


class JournalTests(SynchronousTestCase):
    """Records as they are on disk."""

    def test_format(self) -> None:
        """What is written today is read tomorrow."""
        for line, record in LINES:
            self.assertEqual(msgspec.json.encode(record), line)
            self.assertEqual(msgspec.json.decode(line, type=Record), record)

    def test_older_lines(self) -> None:
        """A settlement that stood without counts still does; nor had what was held always a time."""
        settled = msgspec.json.decode(b'["settle","coder","agw_1",300,8.5]', type=Record)
        assert isinstance(settled, Settled)
        self.assertEqual(settled.tally, Tally(300))
        self.assertEqual(
            msgspec.json.decode(b'["hold","coder","agw_1",500]', type=Record), Reserved("coder", "agw_1", 500)
        )

    def test_sums(self) -> None:
        """A settlement's cost and counts as sums."""
        self.assertEqual(Settled("coder", "agw_1", 300, 8.5, 1, 0, 20, 30).tally, Tally(300, 1, 0, 20, 30))
