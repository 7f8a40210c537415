"""The index of audit records, for pages out of millions in milliseconds.

How a call ended (status and outcome together) is one small number, its **kind**; there are few. Whatever is asked for is a
handful of kinds, each a run of an index in order of time, and the newest of all are found by merging those runs from
their ends: the cost is that of the page, not of what it was chosen from. All functions block.
"""

import heapq
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from typing import Final

from agentgateway.domain.audit import AuditRecord, encode
from agentgateway.domain.logquery import LogQuery, millis

TRIM_STEP: Final = 5_000
"""Rows deleted at once, at least; more where more came in."""

AT_ONCE: Final = (240, 60, 15, 4, 1)
"""Rows inserted by one statement, of which each size is compiled once. SQLite may allow no more than 999 values in one."""
# One statement for many rows: with one each, the interpreter's lock is passed to and fro between this thread and the one
# that serves calls, twice a row, which costs more than the rows do.
_INSERT: Final = {
    size: "INSERT INTO audit (ts, agent, kind, line) VALUES " + ", ".join(["(?, ?, ?, ?)"] * size) for size in AT_ONCE
}
_BY_KIND: Final = "SELECT ts, id FROM audit INDEXED BY audit_by_kind WHERE kind = ? AND ts >= ? AND ts < ?"
_BY_AGENT: Final = (
    "SELECT ts, id FROM audit INDEXED BY audit_by_agent WHERE agent = ? AND kind = ? AND ts >= ? AND ts < ?"
)
_NEWEST: Final = " ORDER BY ts DESC, id DESC LIMIT ?"

Place = tuple[int, int]
"""A record's milliseconds and row."""


Audited = tuple[AuditRecord, bytes]
"""A record and its line; no line where that is still to be made."""


def insert(connection: sqlite3.Connection, audited: Sequence[Audited]) -> None:
    """Add records; inside the caller's transaction."""
    kinds = {(status, outcome): id for id, status, outcome in connection.execute("SELECT * FROM kinds")}
    for ending in {(record.status, record.outcome) for record, _ in audited} - kinds.keys():
        kinds[ending] = connection.execute("INSERT INTO kinds (status, outcome) VALUES (?, ?)", ending).lastrowid
    done = 0
    for size in AT_ONCE:
        while len(audited) - done >= size:
            values: list[object] = []
            for record, line in audited[done : done + size]:
                kind = kinds[record.status, record.outcome]
                values += (millis(record.ts), record.agent, kind, (line or encode(record)).decode())
            connection.execute(_INSERT[size], values)
            done += size


def trim(connection: sqlite3.Connection, max_rows: int, added: int) -> None:
    """Delete the oldest rows beyond `max_rows`, not too many at once; inside the caller's transaction."""
    first, last = connection.execute("SELECT (SELECT min(id) FROM audit), (SELECT max(id) FROM audit)").fetchone()
    if first is not None and last - first >= max_rows:
        upto = min(last - max_rows, first + TRIM_STEP + 2 * added)
        connection.execute("DELETE FROM audit WHERE id <= ?", (upto,))


def find(connection: sqlite3.Connection, query: LogQuery) -> list[bytes]:
    """The records asked for as JSON, newest last, all of one moment. Raises sqlite3.Error."""
    connection.execute("BEGIN")
    try:
        return [_line(connection, row) for _, row in reversed(newest(connection, query))]
    finally:
        connection.execute("ROLLBACK")


def newest(connection: sqlite3.Connection, query: LogQuery) -> list[Place]:
    """Where the records asked for are, newest first."""
    kinds = connection.execute("SELECT * FROM kinds").fetchall()
    runs = [_run(connection, query, kind) for kind, status, outcome in kinds if query.wants(status, outcome)]
    places = list(islice(heapq.merge(*runs, reverse=True), query.count))
    for run in runs:
        run.close()
    return places


def _run(connection: sqlite3.Connection, query: LogQuery, kind: int) -> Generator[Place, None, None]:
    """The records of one kind, newest first, read as far as they are taken."""
    since, until = query.span
    agent = () if query.agent is None else (query.agent,)
    select = _BY_KIND if query.agent is None else _BY_AGENT
    with closing(connection.execute(select + _NEWEST, (*agent, kind, since, until, query.count))) as cursor:
        yield from cursor


def _line(connection: sqlite3.Connection, row: int) -> bytes:
    (line,) = connection.execute("SELECT line FROM audit WHERE id = ?", (row,)).fetchone()
    return str(line).encode()
