"""The ledger's database: balances, standings and the index of audit records in one SQLite file. Everything here blocks.

A checkpoint is one transaction that also says which journal segments it makes superfluous, so that a crash finds either
the old balances and all their segments, or the new ones and a number that passes over what they already hold.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

import attrs
import msgspec

from agentgateway.domain.history import Point
from agentgateway.domain.logquery import LogQuery
from agentgateway.domain.series import KEPT
from agentgateway.domain.standing import Standing
from agentgateway.interfaces import Snapshot, StoreError
from agentgateway.stores import index, schema
from agentgateway.stores.files import open_file, reason

_TABLES: Final = {"meta", "accounts", "standings", "kinds", "audit", "history"}
_TEXTS: Final = {
    "SQLITE_BUSY": "another program has locked it",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_NOTADB": "it is no SQLite database",
    "SQLITE_CORRUPT": "it is damaged",
    "SQLITE_IOERR": "it cannot be read or written: the disk is full or failing",
}


@attrs.frozen
class Checkpoint:
    """What one transaction writes: all up to and with segment `segment` of the journal."""

    segment: int
    snapshots: Mapping[str, Snapshot]
    standings: Sequence[Standing]
    audits: Sequence[index.Audited]
    points: Sequence[Point] = ()


class Database:
    """One file. `write` and `find` may run in a thread each; `patience` is how long to wait for a lock, in seconds."""

    def __init__(self, path: str, max_rows: int | None, patience: float) -> None:
        self._path = path
        self._max_rows = max_rows
        self._patience = patience

    def open(self) -> Checkpoint:
        """Open, make the file where there is none, and give what was written last. Raises StoreError."""
        try:
            fd = open_file(self._path, os.O_RDWR)
        except OSError as error:
            raise StoreError(f"{self._path}: {reason(error)}")
        self._inode = os.fstat(fd).st_ino
        os.close(fd)
        with self._explained():
            self._writing = self._connect("rw")
            self._prepare()
            self._reading = self._connect("ro")
            return self._load()

    def write(self, checkpoint: Checkpoint) -> None:
        """Write it, all or nothing, and forced to the disk. Raises StoreError."""
        with self._explained(), self._transaction() as connection:
            connection.executemany(
                "REPLACE INTO accounts VALUES (?, ?)",
                ((agent, _text(snapshot)) for agent, snapshot in checkpoint.snapshots.items()),
            )
            connection.executemany(
                "REPLACE INTO standings VALUES (?, ?)",
                ((standing.agent, _text(standing)) for standing in checkpoint.standings),
            )
            index.insert(connection, checkpoint.audits)
            if self._max_rows is not None:
                index.trim(connection, self._max_rows, len(checkpoint.audits))
            _chart(connection, checkpoint.points)
            connection.execute("UPDATE meta SET value = ? WHERE name = 'segment'", (checkpoint.segment,))
            self._require_in_place()

    def find(self, query: LogQuery) -> list[bytes]:
        """The answer to a query. Raises StoreError."""
        with self._explained():
            return index.find(self._reading, query)

    def close(self) -> None:
        """Let go of the file; fine also where `open` failed."""
        for name in ("_reading", "_writing"):
            connection = self.__dict__.pop(name, None)
            if connection is not None:
                with self._explained():
                    connection.close()

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"file:{quote(self._path)}?mode={mode}"
        return sqlite3.connect(
            uri, uri=True, timeout=self._patience, isolation_level=None, check_same_thread=False, cached_statements=256
        )

    def _prepare(self) -> None:
        connection = self._writing
        wrong = schema.recognise(connection)
        if wrong:
            raise StoreError(f"{self._path}: {wrong}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # one sync a checkpoint, in the store's thread
        connection.execute("PRAGMA journal_size_limit = 67108864")
        schema.upgrade(connection)
        missing = _TABLES - {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if missing:
            raise StoreError(f"{self._path}: it is damaged: it has no table {', '.join(sorted(missing))}")
        with self._transaction():  # finds out now whether the file can be written
            connection.execute("UPDATE meta SET value = value WHERE name = 'segment'")

    def _load(self) -> Checkpoint:
        connection = self._writing
        (segment,) = connection.execute("SELECT value FROM meta WHERE name = 'segment'").fetchone()
        accounts = connection.execute("SELECT agent, snapshot FROM accounts").fetchall()
        standings = connection.execute("SELECT standing FROM standings").fetchall()
        history = connection.execute("SELECT key, span, at, row FROM history").fetchall()
        try:
            return Checkpoint(
                segment,
                {agent: msgspec.json.decode(snapshot) for agent, snapshot in accounts},
                [msgspec.json.decode(standing, type=Standing) for (standing,) in standings],
                (),
                [Point(*point) for point in history],
            )
        except ValueError as error:
            raise StoreError(f"{self._path}: it is damaged: {error}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._writing
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _require_in_place(self) -> None:
        """SQLite would go on writing to a file that somebody deleted."""
        if not os.path.exists(self._path) or os.stat(self._path).st_ino != self._inode:
            raise StoreError(f"{self._path}: it was deleted or replaced while in use")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            text = next((text for start, text in _TEXTS.items() if name.startswith(start)), str(error))
            raise StoreError(f"{self._path}: {text}")


def _chart(connection: sqlite3.Connection, points: Sequence[Point]) -> None:
    """Keep rows of charts, and let go of those no chart shows any more."""
    rows = ((point.span, point.at, point.key, point.row) for point in points)
    connection.executemany("REPLACE INTO history VALUES (?, ?, ?, ?)", rows)
    latest = max((point.at for point in points), default=0)
    for span, kept in KEPT.items():
        connection.execute("DELETE FROM history WHERE span = ? AND at < ?", (span, latest - kept))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
