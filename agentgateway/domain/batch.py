"""Several calls, summed up before they are booked to their series: there are few series of many calls."""

import attrs

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.money import NANO


def is_error(record: AuditRecord) -> bool:
    """Whether a call counts as an error: a 5xx, 429, time-out, refused connection or truncated stream."""
    if record.outcome != "upstream_error":
        return record.outcome == "truncated"
    return record.status >= 500 or record.status == 429 or record.status < 400


@attrs.define(eq=False)
class Batch:
    """Sums; costs in nano-dollars, times in milliseconds in the order of the calls."""

    cost: int = 0
    calls: int = 0
    errors: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latencies: list[float] = attrs.Factory(list)
    firsts: list[float] = attrs.Factory(list)

    def add(self, record: AuditRecord) -> None:
        """One more call."""
        if record.outcome == "refused":
            self.refused += 1
            return
        self.calls += 1
        self.cost += round(record.cost_usd * NANO)
        self.errors += is_error(record)
        self.input_tokens += record.input_tokens
        self.output_tokens += record.output_tokens
        self.latencies.append(record.latency_ms)
        if record.ttfb_ms is not None:
            self.firsts.append(record.ttfb_ms)

    def join(self, other: "Batch") -> None:
        """All the calls of another."""
        self.cost += other.cost
        self.calls += other.calls
        self.errors += other.errors
        self.refused += other.refused
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.latencies += other.latencies
        self.firsts += other.firsts
