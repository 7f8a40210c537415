"""What each worker tells of itself, kept, and made one: pure but for the JSON.

A worker tells everything at first and then what has changed, as it tells its viewers. Rows stay as they came until
somebody wants them merged; one that a single worker has is passed on as it is.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import msgspec

from agentgateway.domain.sums import board_of, providers_of, row_of
from agentgateway.ops.dashboard.message import RECENT, encode
from agentgateway.ops.dashboard.rows import MAX_CHANGED, SLICE

MAX_NEWS: Final = 10 * RECENT
"""Records, and alerts, that wait for the next update."""


class Told(msgspec.Struct):
    """A message of a worker's; see `feed`."""

    type: str
    ts: str
    gateway: dict[str, Any]
    providers: list[dict[str, Any]]
    agents: list[msgspec.Raw]
    recent: list[msgspec.Raw]
    alerts: list[msgspec.Raw]
    gone: list[str] = []
    omitted: int = 0


class _Row(msgspec.Struct):
    id: str


class _Record(msgspec.Struct):
    id: str
    ts: str


class _Alert(msgspec.Struct):
    at: str


told = msgspec.json.Decoder(Told).decode
_row_id = msgspec.json.Decoder(_Row).decode
_record: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(_Record).decode
_when_alerted: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(_Alert).decode


@attrs.define(eq=False)
class Board:
    """One worker, as of its latest message."""

    gateway: dict[str, Any]
    providers: list[dict[str, Any]]
    rows: dict[str, msgspec.Raw]


@attrs.define(eq=False)
class Boards:
    """All workers, by number."""

    _boards: dict[int, Board] = attrs.Factory(dict)
    _changed: dict[str, None] = attrs.Factory(dict)
    """Agents whose rows are to be merged anew."""
    _rows: dict[str, msgspec.Raw] = attrs.Factory(dict)
    _recent: deque[tuple[str, msgspec.Raw]] = attrs.Factory(lambda: deque(maxlen=MAX_NEWS))
    _alerts: deque[tuple[str, msgspec.Raw]] = attrs.Factory(lambda: deque(maxlen=MAX_NEWS))
    _last: deque[tuple[str, msgspec.Raw]] = attrs.Factory(lambda: deque(maxlen=RECENT))
    _warned: deque[tuple[str, msgspec.Raw]] = attrs.Factory(lambda: deque(maxlen=RECENT))
    _told: dict[int, deque[str]] = attrs.Factory(dict)
    """Ids of the records that each has told last, also those it told before it was away."""
    _omitted: int = 0

    def take(self, number: int, message: Told) -> None:
        """What worker `number` says now."""
        before = self._boards.get(number)
        board = Board(message.gateway, message.providers, {} if before is None else before.rows)
        if message.type == "snapshot":
            self._changed |= dict.fromkeys(board.rows)
            board.rows = {}
        self._boards[number] = board
        for row in message.agents:
            name = _row_id(row).id
            board.rows[name] = row
            self._changed[name] = None
        for name in message.gone:
            board.rows.pop(name, None)
            self._changed[name] = None
        self._recent += self._new(number, message)
        self._alerts += [(_when_alerted(alert).at, alert) for alert in message.alerts]
        self._omitted += message.omitted

    def _new(self, number: int, message: Told) -> Iterator[tuple[str, msgspec.Raw]]:
        """The records not told yet, with their times: in a snapshot are the worker's latest, whoever has heard them."""
        told = self._told.setdefault(number, deque(maxlen=RECENT))
        known = set(told) if message.type == "snapshot" else set[str]()
        for record in message.recent:
            what = _record(record)
            if what.id not in known:
                told.append(what.id)
                yield what.ts, record

    def drop(self, number: int) -> None:
        """Worker `number` is away."""
        board = self._boards.pop(number, None)
        if board is not None:
            self._changed |= dict.fromkeys(board.rows)

    def look(self, changed: list[msgspec.Raw], gone: list[str]) -> Iterator[None]:
        """Merge rows anew, a slice a step: fills `changed` with them and `gone` with ids that nobody shows any more."""
        for count, name in enumerate(list(self._changed)[:MAX_CHANGED], 1):
            del self._changed[name]
            rows = [board.rows[name] for board in self._boards.values() if name in board.rows]
            if rows:
                self._rows[name] = row = rows[0] if len(rows) == 1 else _merged(rows)
                changed.append(row)
            elif self._rows.pop(name, None) is not None:
                gone.append(name)
            if count % SLICE == 0:
                yield

    def head(self, type_: str, ts: str, viewers: int) -> dict[str, Any]:
        """What a message begins with."""
        boards = list(self._boards.values())
        gateway = board_of([board.gateway for board in boards], len(self._rows), viewers)
        providers = providers_of([board.providers for board in boards])
        return {"type": type_, "ts": ts, "gateway": gateway, "providers": providers}

    def news(self) -> dict[str, Any]:
        """Records and alerts since the last time; what one worker has told alike in another's words is told once."""
        recent, alerts = sorted(self._recent, key=_first), _once(sorted(self._alerts, key=_first))
        self._recent.clear()
        self._alerts.clear()
        self._last += recent
        self._warned += alerts
        omitted, self._omitted = self._omitted + max(0, len(recent) - RECENT), 0
        return {"recent": _texts(recent), "alerts": _texts(alerts), "omitted": omitted}

    def all(self) -> dict[str, Any]:
        """Every row, and the latest records and alerts, as of the last look and the last news."""
        return {"agents": list(self._rows.values()), "recent": _texts(self._last), "alerts": _texts(self._warned)}


def _merged(rows: list[msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(encode(row_of([msgspec.json.decode(row) for row in rows])))


def _first(pair: tuple[str, msgspec.Raw]) -> str:
    return pair[0]


def _once(pairs: list[tuple[str, msgspec.Raw]]) -> list[tuple[str, msgspec.Raw]]:
    return list({bytes(text): (at, text) for at, text in pairs}.values())


def _texts(pairs: Any) -> list[msgspec.Raw]:
    return [text for _, text in pairs][-RECENT:]
