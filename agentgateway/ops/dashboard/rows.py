"""The agents as the page shows them: JSON made when something about an agent has changed, and kept until it does again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Self

import attrs
import msgspec

from agentgateway.domain.audit import iso
from agentgateway.domain.breaker import State
from agentgateway.domain.caps import Cap
from agentgateway.domain.facts import Facts
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.history import History
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import NANO
from agentgateway.domain.series import MINUTE, SPARK, Series
from agentgateway.domain.untold import is_untold, part, sums_of
from agentgateway.domain.view import agent_view_of, rate_view
from agentgateway.ops.dashboard.shared import Shared

SLICE: Final = 10
"""Agents looked at before others get the reactor."""
MAX_SHOWN: Final = 5000
"""Agents on the page; the configured ones come first."""
MAX_CHANGED: Final = 400
"""Agents told of in one update; the rest follow in the next ones."""

QUARTER: Final = 15 * MINUTE
"""Seconds; hours and days begin with one of these, whatever the time zone."""
LATE: Final = 10
"""Looks after which a row follows what flows with time alone: a rate limit that refills, an agent that falls idle."""

encode = msgspec.json.Encoder().encode
_EMPTY: Final = msgspec.Raw(b"{}")


@attrs.frozen
class Totals:
    """Sums over agents; costs in nano-dollars."""

    cost_this_hour: int = 0
    calls_this_hour: int = 0
    errors_this_hour: int = 0
    cost_today: int = 0
    in_flight: int = 0
    paused: int = 0

    @classmethod
    def of(cls, parts: Iterable[tuple[int, ...]]) -> Self:
        """The sums of what `_part` says of each agent."""
        return cls(*map(sum, zip(*parts, strict=True)))


@attrs.define
class _Row:
    flow: tuple[Any, ...] | None
    """None: something has happened, and by the next look it will have flowed."""
    due: int
    """The look at which to see again what flows with time."""
    part: tuple[int, ...]
    """What the agent adds to the totals."""
    broken: tuple[tuple[str, State], ...]
    """Its circuits that are not closed, by provider."""
    quarter: int
    """The quarter of an hour of the latest look at what flows: in a new one that is not put off."""
    mark: tuple[Any, ...] = ()
    text: msgspec.Raw = _EMPTY


@attrs.define(eq=False)
class Rows:
    """Each agent's row, kept; `totals` and `circuits` are of the latest look."""

    _live: Shared
    _history: History
    totals: Totals = Totals()
    untold: dict[str, Any] = attrs.Factory(dict)
    """What of the totals other workers cannot know."""
    circuits: dict[str, Counter[State]] = attrs.Factory(dict)
    """By provider: how many agents' circuits are in which state, but for closed ones."""
    _rows: dict[str, _Row] = attrs.Factory(dict)
    _first: int = 0
    """Where the next look begins: after an update that was full, with those it left out."""
    _beat: int = 0
    """Looks so far."""
    _minute: int = 0
    """Of the latest look: with a new one a new hour or day may have begun, and all sums with it."""

    def forget(self) -> None:
        """Nobody looks, so rows would grow old: the next look makes them all anew."""
        self._rows.clear()

    def all(self) -> list[msgspec.Raw]:
        """Every row, as of the latest look."""
        return [row.text for row in self._rows.values()]

    def look(self, changed: list[msgspec.Raw], gone: list[str]) -> Iterator[None]:
        """Look at all agents, a slice a step; fills `changed` with new rows and `gone` with ids that are no more."""
        now = self._live.moment()
        minute, before = int(now.wall // MINUTE), self._minute
        self._beat, self._minute = self._beat + 1, minute
        agents = list(islice(self._live.fleet, MAX_SHOWN))
        turned = agents[self._first :] + agents[: self._first] if self._first else agents
        for start in range(0, len(turned), SLICE):
            for agent in turned[start : start + SLICE]:
                self._look_at(agent, now, minute != before, changed)
            yield
        known = {agent.config.id for agent in agents}
        gone += [name for name in self._rows if name not in known]
        for name in gone:
            del self._rows[name]
        self._sum(now.wall)
        full = len(changed) >= MAX_CHANGED
        self._first = (self._first + MAX_CHANGED) % len(agents) if full else 0

    def _sum(self, wall: float) -> None:
        fleet = self._live.fleet
        self.untold = sums_of((agent.account for agent in fleet), wall) if fleet.cut_off else {}
        self.totals = Totals.of([row.part for row in self._rows.values()])
        self.circuits = {}
        for row in self._rows.values():
            for provider, state in row.broken:
                self.circuits.setdefault(provider, Counter())[state] += 1

    def _look_at(self, agent: AgentState, now: Moment, afresh: bool, changed: list[msgspec.Raw]) -> None:
        """`afresh`: sums may be others though nothing has happened."""
        name, broken = agent.config.id, _broken(agent, now) if agent.breakers else ()
        mark, row, quarter = _mark(agent, broken), self._rows.get(name), int(now.wall // QUARTER)
        if row is None:
            first = self._beat + len(self._rows) % LATE  # those that come together are looked at in turn
            row = self._rows[name] = _Row(_flow(agent, now), first + LATE, _part(agent, now.wall), broken, quarter)
        else:
            happened = row.mark != mark
            if happened or afresh:
                row.part, row.broken = _part(agent, now.wall), broken
            due = self._beat >= row.due
            if not (happened or due or quarter != row.quarter) or len(changed) >= MAX_CHANGED:
                return
            row.quarter, flow = quarter, None if happened else _flow(agent, now)
            if happened or due:  # else its turn stays, lest all have the same from now on
                row.due = self._beat + LATE
            if not happened and flow == row.flow:
                return
            row.flow = flow
        row.mark = mark
        row.text = msgspec.Raw(encode(row_view(agent, self._history.get(name), now)))
        changed.append(row.text)


def _mark(agent: AgentState, broken: object) -> tuple[Any, ...]:
    """Differs after whatever happens to the agent."""
    account = agent.account
    life = account.total
    return (
        *(life.calls, life.cost, account.reserved, agent.in_flight, agent.last_call, broken),
        *(agent.pause, account.budget, agent.config, is_untold(account)),
    )


def _part(agent: AgentState, wall: float) -> tuple[int, ...]:
    """In the order of `Totals`."""
    account = agent.account
    hour = account.hour(wall)
    sums = hour.cost, hour.calls, hour.errors, account.day(wall).cost
    return (*sums, agent.in_flight, int(agent.pause is not None))


def _broken(agent: AgentState, now: Moment) -> tuple[tuple[str, State], ...]:
    return tuple(
        [
            (provider, state)
            for provider, breaker in agent.breakers.items()
            if (state := breaker.state(now.monotonic)) != "closed"
        ]
    )


def _flow(agent: AgentState, now: Moment) -> tuple[Any, ...]:
    """Differs where the agent's row does because time has passed."""
    account, last, wall = agent.account, agent.last_call, now.wall
    hour, recent = account.hour(wall), last is not None and wall - last < SPARK * MINUTE + MINUTE
    return (
        *(hour.cost, hour.calls, account.day(wall).cost, round(account.call_pace.value(wall))),
        Facts(agent, wall).status,
        int(wall // MINUTE) if recent else 0,
        [one.available(now.monotonic) for one in (agent.bucket, agent.tokens) if one is not None],
        [breaker.errors(now.monotonic) for breaker in agent.breakers.values()],
    )


def row_view(agent: AgentState, series: Series | None, now: Moment) -> dict[str, Any]:
    """An agent as the API shows it, and what the page draws besides. Costs in dollars, times in milliseconds."""
    account, caps = agent.account, tuple(agent.account.caps(now.wall))
    hour, view = account.hour(now.wall), agent_view_of(agent, now, caps)
    view["calls_per_minute"] = round(account.call_pace.value(now.wall))
    view["cost_per_minute"] = account.cost_pace.value(now.wall) / NANO
    view["errors_this_hour"] = hour.errors
    view["tokens_this_hour"] = hour.tokens
    view["token_limit"], view["max_concurrency"] = rate_view(agent.tokens, now), agent.config.max_concurrency
    view["caps"] = caps_view(caps, view["budget"]["resets_at"])
    view["paused"] = pause_view(agent)
    view["spark"] = series.spark(now.wall) if series is not None else []
    view.update(latency_view(series), **part(account, now.wall))
    return view


def caps_view(caps: Iterable[Cap], resets_at: Mapping[str, str]) -> list[dict[str, Any]]:
    """The caps that are set, each with what counts against it (dollars) and when its window ends."""
    return [
        {
            "name": cap.name,
            "limit": cap.limit / NANO,
            "spent": cap.spent / NANO,
            "reserved": cap.reserved / NANO,
            "resets_at": resets_at.get(cap.name),
        }
        for cap in caps
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
        return _NO_LATENCY
    p50, p95 = series.latencies.quantiles()
    found: dict[str, float | None] = {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1)}
    first50, first95 = series.firsts.quantiles() if series.firsts else (None, None)
    found["ttfb_p50_ms"] = None if first50 is None else round(first50, 1)
    found["ttfb_p95_ms"] = None if first95 is None else round(first95, 1)
    return found


_NO_LATENCY: Final = dict.fromkeys(("p50_ms", "p95_ms", "ttfb_p50_ms", "ttfb_p95_ms"))
