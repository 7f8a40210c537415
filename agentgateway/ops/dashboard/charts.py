"""The rows of a chart where several processes count: what they have stored together, and what is newer than that."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred

from agentgateway.domain.series import COLUMNS, KEPT, ROW, Track
from agentgateway.interfaces import StoreError

Chart = Callable[[str, int, float], "Deferred[list[bytes]]"]
"""`IFleetHistory.chart`."""
_CALLS = COLUMNS.index("calls")


async def columns(chart: Chart | None, key: str, own: Track, now: float) -> dict[str, list[Any]]:
    """By column, as `Track.columns`: the sums of all processes, or this one's where the others' are not to be had."""
    mine = own.columns(now)
    if chart is None:
        return mine
    try:
        stored = await chart(key, own.span, now - KEPT[own.span])
    except StoreError:
        return mine
    return joined(map(ROW.unpack, stored), zip(*mine.values(), strict=True))


def joined(stored: Iterable[tuple[Any, ...]], own: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows in order of time; of a span that is stored too, the one that knows of more calls."""
    rows = {row[0]: row for row in stored}
    for row in own:
        known = rows.get(row[0])
        if known is None or known[_CALLS] < row[_CALLS]:
            rows[row[0]] = row
    ordered = [rows[at] for at in sorted(rows)]
    return {name: [row[place] for row in ordered] for place, name in enumerate(COLUMNS)}
