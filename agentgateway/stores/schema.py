"""The database's own marks and tables: knowing our files from others', and bringing older ones up to date."""

import sqlite3
from typing import Final

APPLICATION_ID: Final = 0x41677779
"""Marks our files ("Agwy"), so that another program's database is never written to."""

MIGRATIONS: Final = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO meta VALUES ('segment', 0);
    CREATE TABLE accounts (agent TEXT PRIMARY KEY, snapshot TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE standings (agent TEXT PRIMARY KEY, standing TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE kinds (id INTEGER PRIMARY KEY, status INTEGER NOT NULL, outcome TEXT NOT NULL);
    CREATE TABLE audit (id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, agent TEXT, kind INTEGER NOT NULL, line TEXT NOT NULL);
    CREATE INDEX audit_by_kind ON audit (kind, ts);
    CREATE INDEX audit_by_agent ON audit (agent, kind, ts);
    """,
    """
    CREATE TABLE history (span INTEGER, at INTEGER, key TEXT, row BLOB NOT NULL, PRIMARY KEY (span, at, key)) WITHOUT ROWID;
    """,
)
"""What makes version N+1 of version N; `user_version` counts those that were done."""


def recognise(connection: sqlite3.Connection) -> str | None:
    """What is wrong with this database, reading only its first pages; None: it is ours, or empty."""
    application, version = _number(connection, "application_id"), _number(connection, "user_version")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID:
        return "it is the database of another program" if application or version or tables else None
    if version > len(MIGRATIONS):
        return f"it was written by a newer agentgateway (version {version} of its tables, this one knows {len(MIGRATIONS)})"
    return None


def upgrade(connection: sqlite3.Connection) -> None:
    """Make the tables those of today. Raises sqlite3.Error, then nothing has changed."""
    version = _number(connection, "user_version")
    if version < len(MIGRATIONS):
        script = "".join(MIGRATIONS[version:])
        marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(MIGRATIONS)};"
        connection.executescript(f"BEGIN EXCLUSIVE; {script} {marks} COMMIT;")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)
