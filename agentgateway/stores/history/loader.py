"""Loading the log files: a chunk at a time, each line once, whatever happens in between. Everything here blocks.

How far a file is loaded is written down in the transaction that loads it, so the two always agree: after a crash of either
side, or an answer that never came, loading goes on where it really stopped. Two processes never load one file at once.
The log is all that is needed: what could not be loaded for a day, or was written before there was a database, is in it.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from psycopg import Connection

from agentgateway.interfaces import StoreError
from agentgateway.stores.files import reason
from agentgateway.stores.history import charts, records
from agentgateway.stores.history.logfiles import DAMAGED, LogFile, Opened, Shelf, State, relatives
from agentgateway.stores.history.schema import Month, Row, drop_months, oldest_kept

EVERY: Final = 60.0
"""Seconds between two looks for other files than the log itself."""
TRIM: Final = 3600.0
"""Seconds between two times that what is too old is dropped."""

_ADD: Final = "INSERT INTO logs (name, position, seen) VALUES (%s, 0, now()) ON CONFLICT DO NOTHING"
_LOCK: Final = "SELECT position, ended FROM logs WHERE name = %s FOR UPDATE SKIP LOCKED"
_MOVE: Final = "UPDATE logs SET position = %s, ended = %s, seen = now() WHERE name = %s"


class Loader:
    """Loads the log at `path` and its relatives; keeps `months` whole months besides the current one, None: all.

    `wall` tells the time, in epoch seconds.
    """

    def __init__(self, path: str, months: int | None, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._months = months
        self._wall = wall
        self._shelf = Shelf()
        self._left: deque[LogFile] = deque()
        self._done: dict[str, State] = {}
        self._current: int | None = None
        self._look_at = self._trim_at = 0.0
        self.troubles: list[str] = []
        """What people should know, since it was last emptied."""

    def first(self, connection: Connection[Row]) -> bool:
        """Find out what there is to load, and take the first step. Raises as `step`, and StoreError."""
        self._look()
        return self.step(connection)

    def step(self, connection: Connection[Row]) -> bool:
        """Load a chunk of one file, inside the caller's transaction; whether there is more.

        Raises psycopg.Error. A file that cannot be read is left out, and told in `troubles`.
        """
        if self._left and not self._load_some(connection, self._left[0]):
            self._left.popleft()
        return bool(self._left)

    def forget(self) -> None:
        """The database may have lost what it had: look at everything again."""
        self._left.clear()
        self._done.clear()
        self._look_at = 0.0

    def trim(self, connection: Connection[Row]) -> None:
        """Drop what is too old, if that is due; inside the caller's transaction. Raises psycopg.Error."""
        now = self._wall()
        if not self._trim_at - TRIM <= now < self._trim_at:
            self._trim_at = now + TRIM
            charts.trim(connection, now)
            oldest = self._oldest
            if oldest is not None:
                drop_months(connection, oldest)

    @property
    def _oldest(self) -> Month | None:
        if self._months is None:
            return None
        return oldest_kept(datetime.fromtimestamp(self._wall(), UTC), self._months)

    def _look(self) -> None:
        """The log is looked at each time, its relatives now and then, and when it is another file than before."""
        try:
            found = relatives(self._path)
        except OSError as error:
            raise StoreError(f"cannot list the folder of {self._path}: {reason(error)}")
        self._done = {file.path: self._done[file.path] for file in found if file.path in self._done}
        own = [file for file in found if file.path == self._path]
        current = own[0].state[0] if own else None
        now = self._wall()
        if current != self._current or not self._look_at - EVERY <= now < self._look_at:
            self._current, self._look_at = current, now + EVERY
            own += [file for file in found if file.path != self._path]
        self._left = deque(file for file in own if self._done.get(file.path) != file.state)

    def _load_some(self, connection: Connection[Row], file: LogFile) -> bool:
        """Load its next chunk; whether it has more. A compressed file stays open until its turn is over."""
        more = False
        try:
            more = self._load(connection, file, self._shelf.take(file))
        except FileNotFoundError:
            pass  # renamed just now: it will be found under its new name
        except (OSError, *DAMAGED) as error:
            self.troubles.append(f"cannot read {file.path}: {reason(error) if isinstance(error, OSError) else error}")
            self._done[file.path] = file.state
        finally:
            if not (more and file.compressed):
                self._shelf.clear()
        return more

    def _load(self, connection: Connection[Row], file: LogFile, log: Opened) -> bool:
        position = None if log.name is None else _position(connection, log.name, file.compressed)
        if position is None:
            return False
        lines = log.chunk(position)
        if lines:
            records.insert(connection, lines, self._oldest)
        if lines or file.compressed:
            connection.execute(_MOVE, (position + len(lines), not lines, log.name))
        size = position + len(lines) + 1 if file.compressed else file.state[1]
        if lines and position + len(lines) < size:
            return True
        self._done[file.path] = file.state  # what came since makes it another state
        return False


def _position(connection: Connection[Row], name: str, compressed: bool) -> int | None:
    """How far it is loaded, in bytes, which stays as it is until the transaction ends; None: leave it alone.

    Where a compressed file ended is remembered, as finding out means to unpack it.
    """
    known = "SELECT 1 FROM logs WHERE name = %s"
    if connection.execute(known, (name,)).fetchone() is None:
        connection.execute(_ADD, (name,))
    position, ended = connection.execute(_LOCK, (name,)).fetchone() or (None, False)
    return None if position is None or (ended and compressed) else int(position)
