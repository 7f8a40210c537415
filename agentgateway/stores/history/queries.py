"""Pages of audit records out of PostgreSQL, in milliseconds however many there are. Everything here blocks.

How a call ended (status and outcome together) is its **kind**, a small number; there are few. What is asked for is a
handful of kinds, each a run of an index in order of time; the newest of each are merged. See also `stores.index`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import Connection, sql

from agentgateway.domain.logquery import LogQuery
from agentgateway.stores.history.records import plain
from agentgateway.stores.history.schema import Row

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = 253_402_300_799_000
"""Milliseconds up to the end of the year 9999, where dates end."""

_FIND: Final = sql.SQL("""
    SELECT line FROM (
        SELECT found.ts, found.place, found.line
        FROM unnest(%(kinds)s::integer[]) AS kind (id) CROSS JOIN LATERAL (
            SELECT ts, place, line FROM audit WHERE audit.kind = kind.id {and_more}
            ORDER BY ts DESC, place DESC LIMIT %(count)s
        ) AS found
        ORDER BY ts DESC, place DESC LIMIT %(count)s
    ) AS newest ORDER BY ts, place
""")
_MORE: Final = {
    "agent": sql.SQL("AND agent = %(agent)s"),
    "since": sql.SQL("AND ts >= %(since)s"),
    "until": sql.SQL("AND ts < %(until)s"),
}


def find(connection: Connection[Row], query: LogQuery) -> list[bytes]:
    """The records asked for as JSON, newest last. Raises psycopg.Error."""
    kinds = connection.execute("SELECT id, status, outcome FROM kinds").fetchall()
    wanted = [id for id, status, outcome in kinds if query.wants(status, outcome)]
    if not wanted or not query.count:
        return []
    given = _given(query)
    statement = _FIND.format(and_more=sql.SQL(" ").join(_MORE[name] for name in given))
    rows = connection.execute(statement, {"kinds": wanted, "count": query.count, **given})
    return [str(line).encode() for (line,) in rows]


def _given(query: LogQuery) -> dict[str, Any]:
    since, until = (_EPOCH + timedelta(milliseconds=max(0, min(millis, _LAST))) for millis in query.span)
    given: dict[str, Any] = {}
    if query.agent is not None:
        given["agent"] = plain(query.agent)
    if query.since is not None:
        given["since"] = since
    if query.until is not None:
        given["until"] = until
    return given
