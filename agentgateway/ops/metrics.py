"""Metrics for Prometheus, written out a slice at a time.

Labels and text are made when somebody asks. Ten thousand samples take a tenth of a second to write, too long for calls to
wait: everything else has its turn after each slice.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import islice
from typing import Final

import attrs
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agentgateway import __version__
from agentgateway.domain.fleet import AgentState, Fleet
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import NANO
from agentgateway.ops.counts import KINDS, Counts, Spread

SLICE: Final = 50
"""Samples written at once: about a millisecond."""
CIRCUITS: Final = {"closed": 0, "half_open": 1, "open": 2}

Sample = tuple[list[str], float]


@attrs.frozen
class Sources:
    """Where numbers come from that are only looked at when somebody asks."""

    fleet: Fleet
    moment: Callable[[], Moment]
    started: Moment
    streams: Callable[[], int]
    connections: Callable[[], Mapping[str, tuple[int, int]]]
    """(open, idle) by provider."""
    missed: Callable[[], int]
    """Audit records that the log file lacks."""
    rest: Callable[[], Awaitable[None]]
    """Lets the reactor do other things."""
    timers: Callable[[], int] = lambda: 0
    """Timers that are set: a number that grows is a leak."""
    lag: Callable[[], float] = lambda: 0.0
    """The longest wait for a turn in the last minute, in seconds."""
    overloaded: Callable[[], bool] = lambda: False
    """Whether new calls are refused for that."""
    spans_dropped: Callable[[], int] = lambda: 0
    """Calls of which the traces' collector has no span."""
    link: Link | None = None
    """To the fleet that this process is a part of, if it is."""
    waits: Callable[[], float] | None = None
    """`IFleetHistory.waits`, where the history is such a one."""


class Metrics:
    """`counts.add` hears of each audit record; `render` is the whole text."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.counts = Counts(lambda agent: sources.fleet.get(agent) is not None)
        self._process = CollectorRegistry()
        self._process.register(ProcessCollector(registry=None))
        GCCollector(self._process)

    async def render(self) -> bytes:
        """Everything, in Prometheus' text format."""
        parts: list[bytes] = []
        last = ""
        for metric in self._families():
            text = generate_latest(_Only(metric))
            parts.append(text.split(b"\n", 2)[2] if metric.name == last else text)
            last = metric.name
            await self.sources.rest()
        parts.append(generate_latest(self._process))
        return b"".join(parts)

    def _families(self) -> Iterator[Metric]:
        """All families, the long ones in slices; what has changed since the first slice shows in the later ones."""
        yield InfoMetricFamily("agentgateway_build", "The running version.", value={"version": __version__})
        for name, text, value in self._numbers():
            yield GaugeMetricFamily(f"agentgateway_{name}", text, value=value)
        for name, text, labels, counted in self._counters():
            for some in _slices(counted):
                counter = CounterMetricFamily(f"agentgateway_{name}", text, labels=labels)
                for values, amount in some:
                    counter.add_metric(values, amount)
                yield counter
        for name, text, labels, found in self._gauges():
            for some in _slices(found):
                gauge = GaugeMetricFamily(f"agentgateway_{name}", text, labels=labels)
                for values, amount in some:
                    gauge.add_metric(values, amount)
                yield gauge
        yield from self._spreads("call_seconds", "From a call's head to its end.", self.counts.latency)
        yield from self._spreads("first_byte_seconds", "From a call's head to its answer's.", self.counts.first_byte)

    def _numbers(self) -> Iterator[tuple[str, str, float]]:
        sources = self.sources
        uptime = sources.moment().monotonic - sources.started.monotonic
        yield "uptime_seconds", "Since the start.", uptime
        yield "agents", "Agents known.", len(sources.fleet)
        yield "open_streams", "Streamed answers under way.", sources.streams()
        yield "timers", "Timers that are set.", sources.timers()
        yield "reactor_lag_seconds", "The longest wait for a turn in the last minute.", sources.lag()
        yield "overloaded", "1 while new calls are refused because turns come too late.", sources.overloaded()
        yield "audit_records_missing", "Audit records that the log file lacks.", sources.missed()
        if sources.link is not None:
            yield "shared_store_away", "1 while the shared store lends nothing.", sources.link.away
            yield "fleet_processes", "Processes that share the store.", sources.link.members
        if sources.waits is not None:
            yield "history_waiting_seconds", "How long the oldest record waits that PostgreSQL lacks.", sources.waits()
        yield "spans_dropped", "Calls that are missing in the traces.", sources.spans_dropped()

    def _counters(self) -> Iterator[tuple[str, str, list[str], Iterator[Sample]]]:
        every = self.counts.series
        calls = (([s.agent, s.provider, outcome], n) for s in every for outcome, n in list(s.calls.items()))
        tokens = (([s.agent, s.provider, kind], n) for s in every for kind, n in zip(KINDS, s.tokens, strict=True) if n)
        cost = (([s.agent, s.provider], s.cost / NANO) for s in every if s.cost)
        refusals = (([*labels], n) for labels, n in list(self.counts.refusals.items()))
        yield "calls", "Calls that are over, by how they ended.", ["agent", "provider", "outcome"], calls
        yield "refusals", "Calls that were refused.", ["agent", "reason"], refusals
        yield "tokens", "Tokens as the providers count them.", ["agent", "provider", "kind"], tokens
        yield "cost_dollars", "What the calls cost.", ["agent", "provider"], cost

    def _gauges(self) -> Iterator[tuple[str, str, list[str], Iterator[Sample]]]:
        sources, now = self.sources, self.sources.moment()
        agents = [agent for name in self.counts.agents if (agent := sources.fleet.get(name)) is not None]
        flying = (([a.id], a.in_flight) for a in agents)
        paused = (([a.id], a.pause is not None) for a in agents)
        budgets = (([a.id, cap.name], cap.remaining / NANO) for a in agents for cap in a.account.caps(now.wall))
        circuits = (sample for a in agents for sample in _circuits(a, now))
        upstream = [
            ([name, state], n)
            for name, (opened, idle) in sources.connections().items()
            for state, n in (("open", opened), ("idle", idle))
        ]
        yield "calls_in_flight", "Calls under way.", ["agent"], flying
        yield "agent_paused", "1 where the agent is paused.", ["agent"], paused
        yield "budget_remaining_dollars", "Neither spent nor held.", ["agent", "window"], budgets
        yield "circuit_state", "0 closed, 1 half open, 2 open.", ["agent", "provider"], circuits
        yield "upstream_connections", "Connections to providers.", ["provider", "state"], iter(upstream)

    @staticmethod
    def _spreads(name: str, text: str, spreads: Mapping[str, Spread]) -> Iterator[Metric]:
        for provider, spread in list(spreads.items()):
            histogram = HistogramMetricFamily(f"agentgateway_{name}", text, labels=["provider"])
            histogram.add_metric([provider], spread.buckets(), spread.total)
            yield histogram


def _circuits(agent: AgentState, now: Moment) -> list[Sample]:
    return [
        ([agent.id, provider], CIRCUITS[breaker.state(now.monotonic)]) for provider, breaker in agent.breakers.items()
    ]


def _slices(samples: Iterator[Sample]) -> Iterator[list[Sample]]:
    while some := list(islice(samples, SLICE)):
        yield some


class _Only(Collector):
    """A registry of one family."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> list[Metric]:
        """That one."""
        return [self._metric]
