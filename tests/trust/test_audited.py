"""What the long tests sum of an audit log: nothing that is wrong with it passes them by."""

import json
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from tests.trust.audited import Ids, Sums, audited

ID = "agw_0123456789"


def line(number: int, agent: str = "writer", **more: Any) -> str:
    """A record."""
    usual = {"outcome": "ok", "usage": "exact", "input_tokens": 3, "output_tokens": 2, "cost_usd": 0.000039}
    return json.dumps({"id": f"{ID}{number:08x}", "agent": agent, **usual, **more}) + "\n"


class AuditedTests(SynchronousTestCase):
    """A log in one file or several."""

    def log(self, text: str) -> Path:
        """A file of it."""
        path = Path(self.mktemp())
        path.write_text(text)
        return path

    def test_sums(self) -> None:
        """Calls, tokens, costs and ends of each agent are added up over all files."""
        cut = line(2, cost_usd=0.1, outcome="cut", usage="estimated")
        log = audited([self.log(line(0) + line(1, "reader")), self.log(cut)])
        ends = {("ok", "exact"): 1, ("cut", "estimated"): 1}
        writer = log.of("writer")
        self.assertEqual((writer.calls, writer.input_tokens, writer.output_tokens, writer.cost), (2, 6, 4, 100_039_000))
        self.assertEqual((writer.ends, log.of("reader").calls, log.of("nobody")), (ends, 1, Sums()))
        self.assertEqual((len(log.ids), log.again), (3, []))

    def test_again(self) -> None:
        """A call that is in the log twice is told, whatever has come in between."""
        log = audited([self.log(line(7) + line(300)), self.log(line(8) + line(7))])
        self.assertEqual((len(log.ids), log.again), (3, [f"{ID}00000007"]))

    def test_torn(self) -> None:
        """A line that is not whole is a failure."""
        with self.assertRaises(msgspec.DecodeError):
            audited([self.log(line(1) + line(2)[:-20])])

    def test_beyond(self) -> None:
        """A call that the log lacks is told, whether it comes before, between or after what is there, or is another's."""
        seen, there = Ids(), Ids()
        for number in (1, 2, 3, 9):
            seen.add(f"{ID}{number:08x}")
        seen.add("agw_other00001" + "00000002")
        there.add(f"{ID}00000002")
        lacking = [f"{ID}00000001", f"{ID}00000003", f"{ID}00000009", "agw_other0000100000002"]
        self.assertEqual((seen.beyond(there), there.beyond(seen)), (lacking, []))
        self.assertEqual((list(there), len(seen)), ([f"{ID}00000002"], 5))
