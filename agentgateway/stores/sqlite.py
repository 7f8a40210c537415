"""The store of one gateway on one machine: a journal for what just happened, a SQLite database for all before.

The reactor only ever appends to the journal and to lists in memory. A checkpoint begins a new journal segment, takes the
balances of that very moment, and has a thread write them in one transaction; the segments before are then deleted. One
that fails is kept as it is and tried again, and until it works nothing is deleted: spend then lives in memory and journal.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.history import Point
from agentgateway.domain.journal import Record
from agentgateway.domain.logquery import LogQuery
from agentgateway.domain.standing import Standing
from agentgateway.interfaces import Change, IStore, Recovered, Snapshot, StoreBusy
from agentgateway.stores.database import Checkpoint, Database
from agentgateway.stores.files import lock, make_folder
from agentgateway.stores.health import Health
from agentgateway.stores.index import Audited
from agentgateway.stores.journal import Journal
from agentgateway.stores.lanes import Lane
from agentgateway.stores.lines import encode_event
from agentgateway.stores.power import GroupSync

MAX_AUDITS: Final = 20_000
"""Audit records waiting for a checkpoint; beyond, the oldest are missing from the index (not from the log file)."""
MAX_POINTS: Final = 50_000
"""Rows of charts waiting for a checkpoint; beyond, the oldest are lost."""
MAX_QUERIES: Final = 16
"""Queries under way or waiting."""
MAX_ROWS: Final = 10_000_000
"""Records the index keeps."""


@implementer(IStore)
class SqliteStore:
    """Balances and audit index in the file `path`, the journal in the folder `path`.journal beside it.

    `lane` makes the threads: one writes, one reads, and one syncs where `power` asks to survive a power loss.
    """

    def __init__(
        self,
        path: str,
        state_dir: str,
        lane: Callable[[str], Lane],
        alert: Callable[[str], None],
        *,
        power: bool = False,
        max_rows: int | None = MAX_ROWS,
        patience: float = 2.0,
    ) -> None:
        self._path = os.path.abspath(path)
        self._state_dir = os.path.abspath(state_dir)
        self._journal = Journal(f"{self._path}.journal", alert)
        self._database = Database(self._path, max_rows, patience)
        self._writer, self._reader, self._syncer = lane("store-write"), lane("store-read"), lane("store-sync")
        self._sync = GroupSync(self._syncer, self._journal.handles, alert) if power else None
        self._written = Health(f"store {self._path}", alert)
        self._indexed = Health(f"audit index {self._path}", alert)
        self._read = Health(f"reading the audit index {self._path}", alert)
        self._locks: list[int] = []
        self._busy = DeferredLock()
        self._pending: Checkpoint | None = None
        self._changed: set[str] = set()
        self._standings: dict[str, Standing] = {}
        self._audits: deque[Audited] = deque()
        self._points: deque[Point] = deque(maxlen=MAX_POINTS)
        self._missed = 0
        self._queries = 0

    def open(self) -> Recovered:
        """See `IStore.open`."""
        try:
            make_folder(self._state_dir, "gateway.state_dir")
            make_folder(os.path.dirname(self._path))
            for path in (os.path.join(self._state_dir, "lock"), f"{self._path}.lock"):
                self._locks.append(lock(path))
            saved = self._database.open()
            changes = self._journal.open(after=saved.segment)
        except BaseException:
            self._release()
            raise
        records: list[Record] = []
        for change in changes:
            if isinstance(change, Standing):
                self._standings[change.agent] = change
            else:
                records.append(change)
                self._changed.add(change.agent)
        standings = {standing.agent: standing for standing in saved.standings} | self._standings
        return Recovered(saved.snapshots, records, list(standings.values()), saved.points)

    def append(self, *changes: Change) -> None:
        """See `IStore.append`."""
        for change in changes:
            if isinstance(change, Standing):
                self._standings[change.agent] = change
            else:
                self._changed.add(change.agent)
        if changes:
            self._journal.append(encode_event(changes))

    def audit(self, record: AuditRecord, line: bytes = b"") -> None:
        """See `IStore.audit`."""
        if len(self._audits) >= MAX_AUDITS:
            self._audits.popleft()
            self._missed += 1
            self._indexed.failed("more records than can be written; the log file has them all")
        self._audits.append((record, line))

    def history(self, points: Sequence[Point]) -> None:
        """See `IStore.history`."""
        self._points.extend(points)

    def settled(self) -> Deferred[None] | None:
        """See `IStore.settled`."""
        return self._sync.settled() if self._sync is not None else None

    def checkpoint(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """See `IStore.checkpoint`; where one is under way, the next takes what this one would have."""
        if self._busy.locked:
            return succeed(None)
        return self._busy.run(self._checkpoint, snapshot_of)

    def _checkpoint(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        self._journal.flush()
        try:
            checkpoint = self._pending = self._pending or self._take(snapshot_of)
        except OSError as error:
            self._written.failed(f"cannot begin a journal segment: {error.strerror}")
            return succeed(None)
        if checkpoint is None:
            return succeed(None)
        return self._writer.run(self._write, checkpoint).addCallbacks(self._done, self._failed)

    def _take(self, snapshot_of: Callable[[str], Snapshot]) -> Checkpoint | None:
        """All that changed, as of this moment, which is the end of a segment; None: nothing did. Raises OSError."""
        if not (self._changed or self._standings or self._audits or self._points):
            return None
        segment = self._journal.rotate()
        snapshots = {agent: snapshot_of(agent) for agent in self._changed}
        standings, audits, points = list(self._standings.values()), list(self._audits), list(self._points)
        self._changed, self._standings = set(), {}
        self._audits.clear()
        self._points.clear()
        return Checkpoint(segment, snapshots, standings, audits, points)

    def _write(self, checkpoint: Checkpoint) -> int:
        self._database.write(checkpoint)
        self._journal.remove(checkpoint.segment)
        return checkpoint.segment

    def _done(self, segment: int) -> None:
        self._pending = None
        self._journal.drop(segment)
        self._written.works("; nothing is missing")
        self._indexed.works(f"; {self._missed} records are missing")
        self._missed = 0

    def _failed(self, failure: Failure) -> None:
        self._written.failed(f"a checkpoint failed and will be tried again: {failure.getErrorMessage()}")

    def logs(self, query: LogQuery) -> Deferred[list[bytes]]:
        """See `IStore.logs`."""
        if self._queries >= MAX_QUERIES:
            return fail(StoreBusy("too many queries of the audit log at once: try again"))
        self._queries += 1
        answer: Deferred[list[bytes]] = Deferred()  # its cancellation does not free the thread, so it frees no place
        found = self._reader.run(self._database.find, query)
        found.addCallbacks(self._found, self._not_found).chainDeferred(answer)
        return answer

    def _found(self, lines: list[bytes]) -> list[bytes]:
        self._queries -= 1
        self._read.works()
        return lines

    def _not_found(self, failure: Failure) -> Failure:
        self._queries -= 1
        self._read.failed(failure.getErrorMessage())
        return failure

    def close(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """See `IStore.close`."""
        return self._busy.run(self._close, snapshot_of)

    def _close(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._last(snapshot_of)).addBoth(self._release)

    async def _last(self, snapshot_of: Callable[[str], Snapshot]) -> None:
        retried = self._pending
        await self._checkpoint(snapshot_of)
        if retried is not None and self._pending is None:
            await self._checkpoint(snapshot_of)
        if self._sync is not None:
            await self._sync.settled()

    def _release(self, result: Any = None) -> Any:
        for lane in (self._writer, self._reader, self._syncer):
            lane.stop()
        self._journal.close()
        self._database.close()
        while self._locks:
            os.close(self._locks.pop())
        return result
