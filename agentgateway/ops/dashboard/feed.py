"""What viewers are told: everything at first, and then once a second what has changed, made once for all of them.

A pass over the fleet is cut into steps, between which the reactor serves calls. Records are counted into the history
whether or not anybody looks; rows are only made for viewers.
"""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Protocol

import msgspec

from agentgateway import __version__
from agentgateway.domain.alert import Alert
from agentgateway.domain.audit import AuditRecord, iso
from agentgateway.domain.counters import PerMinute
from agentgateway.domain.history import ALL, History, Point, provider_key
from agentgateway.domain.money import NANO
from agentgateway.ops.dashboard.message import RECENT, Message
from agentgateway.ops.dashboard.rows import Rows, latency_view
from agentgateway.ops.dashboard.shared import Shared

MAX_PENDING: Final = 50_000
"""Records that may wait for the next pass."""
SLICE: Final = 50
"""Records counted in one step, or rows stored."""


class Audience(Protocol):
    """A viewer, as the feed knows it."""

    full: bool
    """Wants everything every second."""
    deflates: bool
    """Takes compressed messages."""

    def end(self, code: int, why: bytes) -> None:
        """Hang up."""

    def show(self, message: Message) -> bool:
        """Send it, unless the viewer does not keep up; then False, and the next one must be whole."""


class Feed:
    """`run` is the pass; `join` and `leave` say who listens. `keep` takes rows of the history that are to be stored."""

    def __init__(self, live: Shared, history: History, keep: Any) -> None:
        self._live = live
        self._history = history
        self._keep = keep
        self.rows = Rows(live, history)
        self.viewers: dict[Audience, bool] = {}
        """Whether each is up to date: those that are not get everything next."""
        self.pending: deque[AuditRecord] = deque(maxlen=MAX_PENDING)
        self._calls, self._cost, self._tokens, self._refused = PerMinute(), PerMinute(), PerMinute(), PerMinute()
        self._alerted: Alert | None = live.alerts[-1] if live.alerts else None

    def join(self, viewer: Audience) -> None:
        """One more viewer; it is shown everything at the end of the next pass."""
        self.viewers[viewer] = False

    def leave(self, viewer: Audience) -> None:
        """One less."""
        self.viewers.pop(viewer, None)

    def run(self) -> Iterator[None]:
        """One pass, a step each time it is asked for the next."""
        recent: deque[AuditRecord] = deque(maxlen=RECENT)
        came = yield from self._count(recent)
        yield from self._store(self._history.turn(self._live.moment().wall))
        if not self.viewers:
            self.rows.forget()
            return
        changed: list[msgspec.Raw] = []
        gone: list[str] = []
        yield from self.rows.look(changed, gone)
        alerts = self._new_alerts()
        update = Message(
            self._head("update")
            | {"agents": changed, "gone": gone, "recent": list(recent), "alerts": [alert_view(one) for one in alerts]}
            | {"omitted": came - len(recent)}
        )
        yield
        yield from show_all(self.viewers, update, self.snapshot)

    def snapshot(self) -> Message:
        """Everything, as of the latest look."""
        alerts = islice(reversed(self._live.alerts), RECENT)
        return Message(
            self._head("snapshot")
            | {"agents": self.rows.all(), "recent": list(reversed(list(islice(reversed(self._live.tail), RECENT))))}
            | {"alerts": [alert_view(one) for one in reversed(list(alerts))]}
        )

    def count(self, records: Iterable[AuditRecord]) -> None:
        """Take records into the history, those that are of calls."""
        now = self._live.moment().wall
        sums = self._history.add(filter(is_call, records), now)
        self._calls.add(now, sums.calls)
        self._cost.add(now, sums.cost)
        self._tokens.add(now, sums.input_tokens + sums.output_tokens)
        self._refused.add(now, sums.refused)

    def drain(self) -> None:
        """Take all that waits into the history, at the end of the process."""
        self.count(self.pending)
        self.pending.clear()

    def _count(self, recent: deque[AuditRecord]) -> Generator[None, None, int]:
        """Take what has come since the last pass into the history, and the latest of it into `recent`; how much it was."""
        came = left = len(self.pending)
        while left:
            batch = [self.pending.popleft() for _ in range(min(left, SLICE))]
            left -= len(batch)
            recent.extend(batch)
            self.count(batch)
            yield
        return came

    def _store(self, points: Iterable[Point]) -> Iterator[None]:
        points = iter(points)
        while batch := list(islice(points, SLICE)):
            self._keep(batch)
            yield

    def _new_alerts(self) -> list[Alert]:
        """Those since the last update, oldest first."""
        found: list[Alert] = []
        for alert in reversed(self._live.alerts):
            if alert is self._alerted:
                break
            found.append(alert)
        if found:
            self._alerted = found[0]
        return found[RECENT - 1 :: -1] if len(found) > RECENT else found[::-1]

    def _head(self, type_: str) -> dict[str, Any]:
        now = self._live.moment()
        return {"type": type_, "ts": iso(now.wall), "gateway": self._gateway(), "providers": self._providers()}

    def _gateway(self) -> dict[str, Any]:
        live, totals, now = self._live, self.rows.totals, self._live.moment()
        return {
            "status": "draining" if live.draining else "ok",
            "store": "degraded" if live.fleet.cut_off else "ok",
            "version": __version__,
            "uptime_s": round(now.monotonic - live.started.monotonic, 1),
            "agents": len(live.fleet),
            "paused": totals.paused,
            "in_flight": totals.in_flight,
            "open_streams": len(live.streams),
            "viewers": len(self.viewers),
            "cost_this_hour": totals.cost_this_hour / NANO,
            "cost_today": totals.cost_today / NANO,
            "cost_per_minute": self._cost.value(now.wall) / NANO,
            "calls_per_minute": round(self._calls.value(now.wall)),
            "tokens_per_minute": round(self._tokens.value(now.wall)),
            "refused_per_minute": round(self._refused.value(now.wall)),
            "calls_this_hour": totals.calls_this_hour,
            "errors_this_hour": totals.errors_this_hour,
            "timezone": live.config.gateway.timezone,
            "spark": series.spark(now.wall) if (series := self._history.get(ALL)) is not None else [],
            **self.rows.untold,
        }

    def _providers(self) -> list[dict[str, Any]]:
        """Those that have been called, or would be."""
        config, now = self._live.config, self._live.moment().wall
        named = {agent.provider for agent in config.agents.values()}
        found = []
        for name, provider in config.providers.items():
            series = self._history.get(provider_key(name))
            if series is None and name not in named:
                continue
            hour = series.hour(now) if series is not None else (0, 0)
            states = self.rows.circuits.get(name, Counter())
            found.append(
                {"name": name, "api": provider.api, "calls_last_hour": hour[0], "errors_last_hour": hour[1]}
                | {"open": states["open"], "half_open": states["half_open"]}
                | {"spark": series.spark(now) if series is not None else []}
                | latency_view(series)
            )
        return found


def show_all(viewers: dict[Audience, bool], update: Message, snapshot: Callable[[], Message]) -> Iterator[None]:
    """Show each viewer what it wants, a few of them a step: `update`, or everything where it is not up to date."""
    if any(viewer.deflates for viewer in viewers):
        yield from update.deflate()
    whole: Message | None = None
    for number, (viewer, current) in enumerate(list(viewers.items()), 1):
        message = update
        if viewer.full or not current:
            if whole is None:
                whole = snapshot()
                yield from whole.deflate()
            message = whole
        if viewer in viewers:  # has not left meanwhile
            viewers[viewer] = viewer.show(message)
        if number % 2 == 0:
            yield


def is_call(record: AuditRecord) -> bool:
    """Whether a record is of a call, rather than of something an operator has changed."""
    return record.provider is not None or record.outcome == "refused"


def alert_view(alert: Alert) -> dict[str, Any]:
    """An alert for the page; where it is posted to stays here."""
    view = {"at": iso(alert.at), "kind": alert.kind, "text": alert.text, "agent": alert.agent, "policy": alert.policy}
    return view | {"good": alert.good}
