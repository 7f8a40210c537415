"""The store of a process that shares its fleet with others: books of its own on its disk, history in PostgreSQL.

Money and standings are as in `SqliteStore`, whose files are all that a start needs: it does not wait for PostgreSQL. Audit
records reach that from the log's files, which have each record before a checkpoint.
"""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, gatherResults
from zope.interface import implementer

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.history import Point
from agentgateway.domain.logquery import LogQuery
from agentgateway.interfaces import Change, IFleetHistory, IStore, Recovered, Snapshot
from agentgateway.stores.history.archive import Archive


@implementer(IStore, IFleetHistory)
class SharedStore:
    """`own` has the books; `archive` is asked for once they are open, and has what all processes see."""

    def __init__(self, own: IStore, archive: Callable[[], Archive]) -> None:
        self._own = own
        self._make_archive = archive

    def open(self) -> Recovered:
        """See `IStore.open`: what this process left."""
        recovered: Recovered = self._own.open()
        self._archive = self._make_archive()
        return recovered

    def append(self, *changes: Change) -> None:
        """See `IStore.append`."""
        self._own.append(*changes)

    def audit(self, record: AuditRecord, line: bytes = b"") -> None:
        """See `IStore.audit`: the log has it, or will."""
        self._archive.changed()

    def history(self, points: Sequence[Point]) -> None:
        """See `IStore.history`: this process's own, for its next start, and its part of everybody's."""
        self._own.history(points)
        self._archive.keep(points)

    def checkpoint(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """See `IStore.checkpoint`; neither of the two waits for the other."""
        both = [self._own.checkpoint(snapshot_of), self._archive.load()]
        return gatherResults(both).addCallback(lambda _: None)

    def logs(self, query: LogQuery) -> Deferred[list[bytes]]:
        """See `IStore.logs`: the records of all processes."""
        return self._archive.find(query)

    def chart(self, key: str, span: int, since: float) -> Deferred[list[bytes]]:
        """See `IFleetHistory.chart`."""
        return self._archive.chart(key, span, since)

    def waits(self) -> float:
        """See `IFleetHistory.waits`."""
        return self._archive.waits()

    def settled(self) -> Deferred[None] | None:
        """See `IStore.settled`."""
        settled: Deferred[None] | None = self._own.settled()
        return settled

    def close(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """See `IStore.close`: the books are closed first, as they matter more."""
        return Deferred.fromCoroutine(self._close(snapshot_of))

    async def _close(self, snapshot_of: Callable[[str], Snapshot]) -> None:
        try:
            await self._own.close(snapshot_of)
        finally:
            await self._archive.close()
