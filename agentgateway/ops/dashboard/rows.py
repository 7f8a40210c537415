"""The agents as the page shows them: JSON made when something about an agent has changed, and kept until it does again."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import attrs
import msgspec

from agentgateway.domain.audit import iso
from agentgateway.domain.facts import Facts
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.history import History
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import NANO
from agentgateway.domain.series import MINUTE, SPARK, Series, quantiles
from agentgateway.domain.view import agent_view
from agentgateway.ops.dashboard.shared import Shared

SLICE: Final = 50
"""Agents looked at before others get the reactor."""
MAX_SHOWN: Final = 5000
"""Agents on the page; the configured ones come first."""
MAX_CHANGED: Final = 400
"""Agents told of in one update; the rest follow in the next ones."""

encode = msgspec.json.Encoder().encode


@attrs.define
class Totals:
    """Sums over all agents; costs in nano-dollars."""

    cost_this_hour: int = 0
    cost_today: int = 0
    cost_per_minute: float = 0.0
    calls_per_minute: float = 0.0
    calls_this_hour: int = 0
    errors_this_hour: int = 0
    in_flight: int = 0
    paused: int = 0

    def add(self, agent: AgentState, wall: float) -> None:
        """One more agent."""
        account = agent.account
        hour = account.hour(wall)
        self.cost_this_hour += hour.cost
        self.calls_this_hour += hour.calls
        self.errors_this_hour += hour.errors
        self.cost_today += account.day(wall).cost
        self.cost_per_minute += account.cost_pace.value(wall)
        self.calls_per_minute += account.call_pace.value(wall)
        self.in_flight += agent.in_flight
        self.paused += agent.pause is not None


@attrs.define
class _Row:
    mark: tuple[Any, ...]
    text: msgspec.Raw


@attrs.define(eq=False)
class Rows:
    """Each agent's row, kept; `totals` and `circuits` are of the latest look."""

    _live: Shared
    _history: History
    totals: Totals = attrs.Factory(Totals)
    circuits: dict[str, dict[str, int]] = attrs.Factory(dict)
    """By provider: how many agents' circuits are in which state, but for closed ones."""
    _rows: dict[str, _Row] = attrs.Factory(dict)
    _first: int = 0
    """Where the next look begins: after an update that was full, with those it left out."""

    def all(self) -> list[msgspec.Raw]:
        """Every row, as of the latest look."""
        return [row.text for row in self._rows.values()]

    def look(self, changed: list[msgspec.Raw], gone: list[str]) -> Iterator[None]:
        """Look at all agents, a slice a step; fills `changed` with new rows and `gone` with ids that are no more."""
        now, totals = self._live.moment(), Totals()
        circuits: dict[str, dict[str, int]] = {}
        agents = list(islice(self._live.fleet, MAX_SHOWN))
        turned = agents[self._first :] + agents[: self._first]
        for start in range(0, len(turned), SLICE):
            for agent in turned[start : start + SLICE]:
                totals.add(agent, now.wall)
                _count(circuits, agent, now)
                self._look_at(agent, now, changed)
            yield
        known = {agent.id for agent in agents}
        gone += [name for name in self._rows if name not in known]
        for name in gone:
            del self._rows[name]
        self.totals, self.circuits = totals, circuits
        full = len(changed) >= MAX_CHANGED
        self._first = (self._first + MAX_CHANGED) % len(agents) if full else 0

    def _look_at(self, agent: AgentState, now: Moment, changed: list[msgspec.Raw]) -> None:
        row, mark = self._rows.get(agent.id), _mark(agent, now)
        if row is not None and (row.mark == mark or len(changed) >= MAX_CHANGED):
            return
        text = msgspec.Raw(encode(row_view(agent, self._history.get(agent.id), now)))
        changed.append(text)
        self._rows[agent.id] = _Row(mark, text)


def _mark(agent: AgentState, now: Moment) -> tuple[Any, ...]:
    """Differs where the agent's row does, but for what flows with time alone."""
    account, last, wall = agent.account, agent.last_call, now.wall
    hour, recent = account.hour(wall), last is not None and wall - last < SPARK * MINUTE + MINUTE
    return (
        *(account.life.calls, account.life.cost, account.reserved, agent.in_flight, last),
        *(hour.cost, hour.calls, account.day(wall).cost, round(account.call_pace.value(wall))),
        *(agent.pause, agent.budget, agent.config),
        Facts(agent, wall).status,
        int(wall // MINUTE) if recent else 0,
        agent.bucket.available(now.monotonic) if agent.bucket is not None else 0,
        [(breaker.state(now.monotonic), breaker.errors(now.monotonic)) for breaker in agent.breakers.values()],
    )


def _count(circuits: dict[str, dict[str, int]], agent: AgentState, now: Moment) -> None:
    for provider, breaker in agent.breakers.items():
        state = breaker.state(now.monotonic)
        if state != "closed":
            states = circuits.setdefault(provider, {})
            states[state] = states.get(state, 0) + 1


def row_view(agent: AgentState, series: Series | None, now: Moment) -> dict[str, Any]:
    """An agent as the API shows it, and what the page draws besides. Costs in dollars, times in milliseconds."""
    facts, view = Facts(agent, now.wall), agent_view(agent, now)
    return view | {
        "calls_per_minute": round(facts.calls_per_minute),
        "cost_per_minute": facts.cost_per_minute,
        "errors_this_hour": facts.errors_this_hour,
        "tokens_this_hour": facts.tokens_this_hour,
        "caps": caps_view(agent, now, view["budget"]["resets_at"]),
        "paused": pause_view(agent),
        "spark": series.spark(now.wall) if series is not None else [],
        **latency_view(series),
    }


def caps_view(agent: AgentState, now: Moment, resets_at: Mapping[str, str]) -> list[dict[str, Any]]:
    """The caps that are set, each with what counts against it (dollars) and when its window ends."""
    return [
        {
            "name": cap.name,
            "limit": cap.limit / NANO,
            "spent": cap.spent / NANO,
            "reserved": cap.reserved / NANO,
            "resets_at": resets_at.get(cap.name),
        }
        for cap in agent.account.caps(now.wall)
    ]


def pause_view(agent: AgentState) -> dict[str, Any] | None:
    """By whom an agent is paused, since when and until when."""
    pause = agent.pause
    if pause is None:
        return None
    until = None if pause.until is None else iso(pause.until)
    return {"by": pause.by, "reason": pause.reason, "since": iso(pause.since), "until": until}


def latency_view(series: Series | None) -> dict[str, float | None]:
    """Quantiles of the latest calls, in milliseconds; None without any."""
    if series is None or not series.latencies:
        return {"p50_ms": None, "p95_ms": None, "ttfb_p50_ms": None, "ttfb_p95_ms": None}
    p50, p95 = quantiles(series.latencies)
    first50, first95 = quantiles(series.firsts) if series.firsts else (None, None)
    return {"p50_ms": p50, "p95_ms": p95, "ttfb_p50_ms": first50, "ttfb_p95_ms": first95}
