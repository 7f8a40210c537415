"""The rows of a chart where several processes count."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.series import COLUMNS, KEPT, MINUTE, ROW, Track
from agentgateway.interfaces import StoreBusy
from agentgateway.ops.dashboard.charts import Chart, columns, joined
from tests.domain.test_series import NOON, batch, record


def row(at: int, calls: int) -> tuple[Any, ...]:
    """A row."""
    return (at, 0, calls, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0)


class ChartTests(SynchronousTestCase):
    """A minute with two calls of this process's own."""

    def setUp(self) -> None:
        """Just now."""
        self.track = Track(MINUTE)
        for _ in range(2):
            self.track.at(NOON).add(batch(record()))

    def calls(self, chart: Chart | None) -> list[tuple[int, int]]:
        """(minute from noon, calls)"""
        found = self.successResultOf(Deferred.fromCoroutine(columns(chart, "coder", self.track, NOON)))
        self.assertEqual(tuple(found), COLUMNS)
        return [((at - NOON) // MINUTE, calls) for at, calls in zip(found["at"], found["calls"], strict=True)]

    def test_alone(self) -> None:
        """Alone a process shows what it has counted."""
        self.assertEqual(self.calls(None), [(0, 2)])

    def test_shared(self) -> None:
        """What all have stored is shown, and what this one alone knows of more recently."""
        asked: list[tuple[str, int, float]] = []

        def chart(key: str, span: int, since: float) -> "Deferred[list[bytes]]":
            asked.append((key, span, since))
            return succeed([ROW.pack(*row(int(NOON) - 60, 9)), ROW.pack(*row(int(NOON), 1))])

        self.assertEqual(self.calls(chart), [(-1, 9), (0, 2)])
        self.assertEqual(asked, [("coder", MINUTE, NOON - KEPT[MINUTE])])

    def test_away(self) -> None:
        """While the store cannot tell, a process shows its own."""
        self.assertEqual(self.calls(lambda *_: fail(StoreBusy("later"))), [(0, 2)])

    def test_joined(self) -> None:
        """Of a minute that both know the one with more calls stands, in order of time."""
        found = joined([row(60, 5), row(120, 1)], [row(0, 1), row(60, 4), row(120, 2)])
        self.assertEqual((found["at"], found["calls"]), ([0, 60, 120], [1, 5, 2]))
        self.assertEqual(joined([], [])["at"], [])
