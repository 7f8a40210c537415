"""Tests of agentgateway.domain.history."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.history import ALL, MAX_SERIES, History, Point, provider_key
from agentgateway.domain.series import MINUTE, TEN_MINUTES
from tests.domain.test_series import NOON, record


def history(*calls: tuple[float, str]) -> History:
    """A history of calls: seconds after noon, and the agent."""
    made = History()
    for at, agent in calls:
        made.add([record(agent=agent, provider="openai")], NOON + at)
    return made


class HistoryTests(SynchronousTestCase):
    """All series."""

    def test_keys(self) -> None:
        """A call counts for its agent, for its provider and for all; one of nobody known counts for all."""
        made = history((0, "coder"), (1, "writer"))
        made.add([record(agent=None, provider=None, outcome="refused")], NOON)
        counts = [made.get(key).minutes.columns(NOON)["calls"] for key in (ALL, "coder", provider_key("openai"))]
        self.assertEqual(counts, [[2], [1], [2]])
        self.assertEqual(made.get(ALL).minutes.columns(NOON)["refused"], [1])
        self.assertIsNone(made.get("nobody"))

    def test_bounded(self) -> None:
        """Strangers with ever new names make the gateway remember only so many; the idlest is forgotten, never the sum."""
        made = history((0, "first"), *((1, f"agent-{number}") for number in range(MAX_SERIES)))
        self.assertIsNone(made.get("first"))
        self.assertIsNotNone(made.get(f"agent-{MAX_SERIES - 1}"))
        self.assertEqual(made.get(ALL).minutes.columns(NOON + 1)["calls"], [MAX_SERIES + 1])


class StoringTests(SynchronousTestCase):
    """What survives a restart."""

    def test_turn(self) -> None:
        """A minute is handed over when it is over, with the ten minutes so far; one without calls is not."""
        made = history((0, "coder"))
        self.assertEqual(list(made.turn(NOON + 59)), [])
        points = list(made.turn(NOON + 60))
        kinds = sorted((point.key, point.span, point.at) for point in points)
        keys = ("", "/openai", "coder")
        self.assertEqual(kinds, [(key, span, int(NOON)) for key in keys for span in (MINUTE, TEN_MINUTES)])
        self.assertEqual(list(made.turn(NOON + 120)), [])

    def test_nothing_between(self) -> None:
        """A minute that ended because the next call came is handed over too."""
        made = history((0, "coder"), (61, "coder"))
        minutes = [point.at for point in made.turn(NOON + 61) if (point.key, point.span) == ("coder", MINUTE)]
        self.assertEqual(minutes, [NOON, NOON + 60])

    def test_restart(self) -> None:
        """After a restart the charts are what they were, and the current minute goes on."""
        before = history((0, "coder"), (61, "coder"), (700, "coder"), (701, "coder"))
        points = {(point.key, point.span, point.at): point for at in (61, 700) for point in before.turn(NOON + at)}
        points |= {(point.key, point.span, point.at): point for point in before.end()}
        after = History()
        after.restore(points.values(), NOON + 702)
        after.add([record(agent="coder")], NOON + 702)
        series = after.get("coder")
        self.assertEqual(series.minutes.columns(NOON + 702)["calls"], [1, 1, 3])
        self.assertEqual(series.tens.columns(NOON + 702)["calls"], [2, 3])

    def test_old(self) -> None:
        """What no chart shows any more, what is of the future and what is damaged is left out."""
        row = next(iter(history((0, "coder")).end())).row
        points = [
            Point("old", MINUTE, int(NOON) - 7200, row),
            Point("new", MINUTE, int(NOON) + 7200, row),
            Point("torn", MINUTE, int(NOON), row[:-1]),
        ]
        made = History()
        made.restore(points, NOON)
        self.assertEqual([made.get(point.key) for point in points], [None, None, None])
