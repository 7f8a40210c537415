"""What metrics are made of: calls counted from their audit records in plain integers, about a microsecond each.

An agent has a label of its own up to MAX_AGENTS of them, those of the configuration before others; the rest are
"other" together, and what strangers call themselves is "unknown".
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.money import NANO

MAX_AGENTS: Final = 1_000
SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
KINDS: Final = ("input", "output", "cache_read", "cache_write", "reasoning")
"""Kinds of tokens."""


@attrs.define(slots=True, eq=False)
class Series:
    """What was counted of one agent at one provider; cost in nano-dollars, tokens by kind in the order of `KINDS`."""

    agent: str
    provider: str
    calls: dict[str, int] = attrs.Factory(dict)
    tokens: list[int] = attrs.Factory(lambda: [0] * len(KINDS))
    cost: int = 0


@attrs.define(slots=True, eq=False)
class Spread:
    """A histogram over SECONDS."""

    counts: list[int] = attrs.Factory(lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulated, as Prometheus wants them."""
        sums = [sum(self.counts[: index + 1]) for index in range(len(self.counts))]
        return list(zip([*map(str, SECONDS), "+Inf"], sums, strict=True))


class Counts:
    """All that is counted; `known` says whether an agent is one of the fleet."""

    def __init__(self, known: Callable[[str], bool]) -> None:
        self.agents: dict[str, None] = {}
        """Those with a label of their own."""
        self.refusals: dict[tuple[str, str], int] = {}
        """By agent and reason."""
        self.latency: dict[str, Spread] = {}
        self.first_byte: dict[str, Spread] = {}
        self._known = known
        self._series: dict[tuple[str | None, str | None], Series] = {}

    @property
    def series(self) -> list[Series]:
        """All of them, as of now."""
        return list(self._series.values())

    def reserve(self, agents: Iterable[str]) -> None:
        """Give these agents labels of their own, if there are any left."""
        for agent in agents:
            if len(self.agents) < MAX_AGENTS and agent != "*":
                self.agents[agent] = None

    def add(self, record: AuditRecord) -> None:
        """One more call; records of an operator's changes are none."""
        provider = record.provider
        if provider is None:
            if record.outcome == "ok":
                return
        elif record.ttfb_ms is not None:
            self.latency[provider].add(record.latency_ms / 1000) if provider in self.latency else self._open(record)
            self.first_byte[provider].add(record.ttfb_ms / 1000)
        series = self._series.get((record.agent, provider)) or self._place(record)
        outcome = record.outcome
        series.calls[outcome] = series.calls.get(outcome, 0) + 1
        if outcome == "refused":
            refusal = (series.agent, record.reason or "")
            self.refusals[refusal] = self.refusals.get(refusal, 0) + 1
        else:
            series.cost += round(record.cost_usd * NANO)
            tokens = series.tokens
            tokens[0] += record.input_tokens
            tokens[1] += record.output_tokens
            tokens[2] += record.cache_read_tokens
            tokens[3] += record.cache_write_tokens
            tokens[4] += record.reasoning_tokens

    def _open(self, record: AuditRecord) -> None:
        """The first call of a provider."""
        provider = record.provider or ""
        self.latency[provider], self.first_byte[provider] = Spread(), Spread()
        self.latency[provider].add(record.latency_ms / 1000)

    def _place(self, record: AuditRecord) -> Series:
        """Where a call belongs that has no place yet, or none of its own."""
        label = self._label(record.agent)
        key = (label, record.provider)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series(label, record.provider or "none")
        return series

    def _label(self, agent: str | None) -> str:
        if agent in self.agents:
            return agent or ""
        if agent is None or not self._known(agent):
            return "unknown"
        self.reserve((agent,))
        return agent if agent in self.agents else "other"
