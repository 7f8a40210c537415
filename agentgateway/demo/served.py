"""What the stand-in served, as it counts it: the provider's side of the books, to hold a gateway's ledger against."""

from collections import Counter, deque
from typing import Any

import attrs

from agentgateway.demo.exchange import Reply, Request

_KEPT = 1000


@attrs.define
class Record:
    """One request as it arrived and how far its answer came. Times are monotonic seconds."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body_length: int
    body_sha256: str
    status: int
    """0 where no head was sent."""
    began_at: float
    input_tokens: int
    """All input, what was read from a cache included."""
    output_tokens: int = 0
    """Those written so far."""
    finished: bool = False
    left_at: float | None = None
    """When the peer closed the connection before the answer was through."""


def _recent() -> "deque[Any]":
    return deque(maxlen=_KEPT)


@attrs.define
class Served:
    """Totals since the start, and the last thousand requests."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    paths: Counter[str] = attrs.field(factory=Counter)
    recent: "deque[Record]" = attrs.field(factory=_recent)
    connections_opened: int = 0
    connections_left: int = 0
    """Closed by the peer, not by the stand-in."""
    left_at: "deque[float]" = attrs.field(factory=_recent)
    """When the last thousand of them were, in monotonic seconds."""

    def begin(self, request: Request, reply: Reply, now: float) -> Record:
        """Note a request that is about to be answered."""
        record = Record(
            method=request.method.decode("latin-1"),
            target=request.target.decode("latin-1"),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers),
            body_length=len(request.body),
            body_sha256=request.sha256,
            status=reply.status,
            began_at=now,
            input_tokens=reply.input_tokens,
        )
        self.calls += 1
        self.input_tokens += reply.input_tokens
        path = record.target.partition("?")[0]
        self.paths[path if path in self.paths or len(self.paths) < _KEPT else "(others)"] += 1
        self.recent.append(record)
        return record

    def wrote(self, record: Record, tokens: int) -> None:
        """Count output tokens that went out."""
        record.output_tokens += tokens
        self.output_tokens += tokens

    def left(self, record: Record | None, now: float) -> None:
        """Note that a peer closed its connection, in the middle of `record` if one is given."""
        self.connections_left += 1
        self.left_at.append(now)
        if record is not None:
            record.left_at = now

    def as_json(self) -> dict[str, Any]:
        """All of it in plain types."""
        return attrs.asdict(self, recurse=False) | {
            "paths": dict(self.paths),
            "recent": [attrs.asdict(record) for record in self.recent],
            "left_at": list(self.left_at),
        }
