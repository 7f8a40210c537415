"""A store that forgets with its process: for gateways that need not remember, and for tests.

The same object can be opened again, with or without a `close`, and gives back what it was told, as after a crash.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from agentgateway.domain.audit import AuditRecord, encode
from agentgateway.domain.history import Point
from agentgateway.domain.journal import Record
from agentgateway.domain.logquery import LogQuery, millis
from agentgateway.domain.series import KEPT
from agentgateway.domain.standing import Standing
from agentgateway.interfaces import Change, IStore, Recovered, Snapshot

MAX_ROWS: Final = 10_000
"""Audit records kept."""


@implementer(IStore)
class MemoryStore:
    """Snapshots, what came after them, standings, and the latest audit records."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._records: list[Record] = []
        self._standings: dict[str, Standing] = {}
        self._points: dict[tuple[str, int, int], Point] = {}
        self._audits: deque[AuditRecord] = deque(maxlen=max_rows)

    def open(self) -> Recovered:
        """See `IStore.open`."""
        return Recovered(
            dict(self._snapshots), list(self._records), list(self._standings.values()), list(self._points.values())
        )

    def append(self, *changes: Change) -> None:
        """See `IStore.append`."""
        for change in changes:
            if isinstance(change, Standing):
                self._standings[change.agent] = change
            else:
                self._records.append(change)

    def audit(self, record: AuditRecord, line: bytes = b"") -> None:
        """See `IStore.audit`."""
        self._audits.append(record)

    def history(self, points: Sequence[Point]) -> None:
        """See `IStore.history`."""
        for point in points:
            self._points[point.key, point.span, point.at] = point
        latest = max((point.at for point in points), default=0)
        self._points = {place: point for place, point in self._points.items() if point.at > latest - KEPT[point.span]}

    def checkpoint(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """See `IStore.checkpoint`."""
        self._snapshots |= {agent: snapshot_of(agent) for agent in {record.agent for record in self._records}}
        self._records.clear()
        return succeed(None)

    def logs(self, query: LogQuery) -> Deferred[list[bytes]]:
        """See `IStore.logs`."""
        found = sorted(filter(query.matches, self._audits), key=lambda record: millis(record.ts))
        return succeed([encode(record) for record in found[max(0, len(found) - query.count) :]])

    def settled(self) -> None:
        """See `IStore.settled`: there is nothing to wait for."""

    def close(self, snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """See `IStore.close`."""
        return self.checkpoint(snapshot_of)
