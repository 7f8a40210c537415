"""A question to the audit log, the same whether memory or a store answers it."""

from datetime import datetime
from typing import Final

import attrs

from agentgateway.domain.audit import AuditRecord

MAX_LIMIT: Final = 10_000
"""Records one answer may hold."""


def millis(ts: str) -> int:
    """Epoch milliseconds of a record's `ts`."""
    return round(datetime.fromisoformat(ts).timestamp() * 1000)


@attrs.frozen
class LogQuery:
    """The newest `limit` records of which all that is given holds."""

    limit: int = 100
    agent: str | None = None
    status: int | None = None
    outcome: str | None = None
    since: float | None = None
    """Epoch seconds, included."""
    until: float | None = None
    """Epoch seconds, excluded."""

    @property
    def count(self) -> int:
        """`limit` within what is allowed."""
        return max(0, min(self.limit, MAX_LIMIT))

    @property
    def span(self) -> tuple[int, int]:
        """From and (excluded) to, in epoch milliseconds."""
        since = 0 if self.since is None else round(self.since * 1000)
        return since, 2**62 if self.until is None else round(self.until * 1000)

    def wants(self, status: int, outcome: str) -> bool:
        """Whether calls that ended so are asked for."""
        return self.status in (None, status) and self.outcome in (None, outcome)

    def matches(self, record: AuditRecord) -> bool:
        """Whether this record is asked for."""
        since, until = self.span
        mine = self.agent in (None, record.agent) and self.wants(record.status, record.outcome)
        return mine and since <= millis(record.ts) < until
