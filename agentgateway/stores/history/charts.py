"""Rows of the charts in PostgreSQL: each process writes its own, and reads the sums over all. Everything here blocks."""

from collections.abc import Iterable
from typing import Final

from psycopg import Connection

from agentgateway.domain.history import Point
from agentgateway.domain.series import COLUMNS, KEPT, ROW
from agentgateway.stores.history.records import plain
from agentgateway.stores.history.schema import Row

_TABLE: Final = "CREATE TEMPORARY TABLE IF NOT EXISTS fresh (LIKE points) ON COMMIT DELETE ROWS"
_NAMES: Final = ", ".join(COLUMNS[1:])
_COPY: Final = f"COPY fresh (process, key, span, at, {_NAMES}) FROM STDIN"
_WRITE: Final = f"""
    INSERT INTO points SELECT * FROM fresh ORDER BY key, span, at ON CONFLICT (key, span, at, process) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])}
"""
_MOST: Final = 2**62
_MOST_CALLS: Final = 2**32 - 1
# Quantiles cannot be added. The median of all is nearest to that of whoever had most calls; the slow end is as slow as
# anybody's.
_READ: Final = """
    SELECT at, sum(cost), sum(calls), sum(errors), sum(refused), sum(input_tokens), sum(output_tokens),
        sum(p50_ms * calls) / greatest(sum(calls), 1), max(p95_ms),
        sum(ttfb_p50_ms * calls) / greatest(sum(calls), 1), max(ttfb_p95_ms)
    FROM points WHERE key = %s AND span = %s AND at >= %s GROUP BY at ORDER BY at
"""


def write(connection: Connection[Row], process: str, points: Iterable[Point]) -> None:
    """Keep what `process` counted; what of one span comes later stands. Inside the caller's transaction."""
    connection.execute(_TABLE)
    with connection.cursor().copy(_COPY) as copy:
        for point in points:
            copy.write_row((process, point.key, point.span, point.at, *ROW.unpack(point.row)[1:]))
    connection.execute(_WRITE)


def read(connection: Connection[Row], key: str, span: int, since: float) -> list[bytes]:
    """The rows of a series from `since` (epoch seconds) on, summed over all processes, packed as in `domain.series`."""
    return [_packed(row) for row in connection.execute(_READ, (plain(key), span, int(since)))]


def _packed(row: Row) -> bytes:
    at, cost, calls, errors, refused, input_tokens, output_tokens, *quantiles = row
    tokens = (min(_MOST, int(count)) for count in (input_tokens, output_tokens))
    counts = (min(_MOST_CALLS, int(count)) for count in (calls, errors, refused))
    return ROW.pack(at, min(_MOST, int(cost)), *counts, *tokens, *map(float, quantiles))


def trim(connection: Connection[Row], now: float) -> None:
    """Let go of rows that no chart shows any more; inside the caller's transaction."""
    for span, kept in KEPT.items():
        connection.execute("DELETE FROM points WHERE at < %s AND span = %s", (int(now) - kept - span, span))
