"""Audit records into PostgreSQL: lines of a log in one COPY, each record once. Everything here blocks."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from psycopg import Connection

from agentgateway.stores.history.schema import Month, Row, add_months, month_of


class Record(msgspec.Struct, gc=False):
    """What of a record is asked for by itself; the line is kept beside it as it is."""

    id: Annotated[str, Meta(max_length=200)]
    ts: Annotated[datetime, Meta(tz=True)]
    agent: Annotated[str, Meta(max_length=200)] | None
    status: Annotated[int, Meta(ge=0, le=99_999)]
    outcome: Annotated[str, Meta(max_length=200)]


_decode: Final = msgspec.json.Decoder(Record).decode

_TABLE: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
        number integer, id text, ts timestamptz, agent text, status integer, outcome text, line text
    ) ON COMMIT DELETE ROWS
"""
_COPY: Final = "COPY incoming (number, id, ts, agent, status, outcome, line) FROM STDIN"
# in order, so that two processes that add the same kinds wait for each other, not both for both
_KINDS: Final = """
    INSERT INTO kinds (status, outcome)
    SELECT status, outcome FROM incoming EXCEPT SELECT status, outcome FROM kinds ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
_INSERT: Final = """
    INSERT INTO audit (id, ts, agent, kind, line)
    SELECT incoming.id, ts, agent, kinds.id, line FROM incoming JOIN kinds USING (status, outcome)
    ORDER BY number ON CONFLICT DO NOTHING
"""


def insert(connection: Connection[Row], lines: bytes, oldest: Month | None) -> None:
    """Add the records of these lines, but for those before the month `oldest`; inside the caller's transaction.

    A record that is there already is passed over, and so is what is no record: the line that a crash has torn.
    """
    rows = [row for row in map(_row, lines.splitlines()) if row is not None]
    rows = [row for row in rows if oldest is None or month_of(row[1]) >= oldest]
    if not rows:
        return
    add_months(connection, {month_of(row[1]) for row in rows})
    connection.execute(_TABLE)
    with connection.cursor().copy(_COPY) as copy:
        for number, row in enumerate(rows):
            copy.write_row((number, *row))
    connection.execute(_KINDS)
    connection.execute(_INSERT)


def _row(line: bytes) -> Row | None:
    try:
        record = _decode(line)
        text = line.decode()
    except ValueError:
        return None
    if "\0" in text:
        return None
    agent = None if record.agent is None else plain(record.agent)
    return plain(record.id), record.ts, agent, record.status, plain(record.outcome), text


def plain(text: str) -> str:
    """As text in PostgreSQL, which holds neither NUL nor half a character."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
