"""A store that takes its time, for many processes at once: it answers one after the other, so much time for each agent."""

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed

from agentgateway.domain.lease import NONE_GONE, NOTHING, Ask, Grant, Sums, Synced
from agentgateway.interfaces import LiveError
from tests.ops.fleets import Time

PATIENCE = 0.1
"""Seconds that a process waits for an answer."""
EACH, ALL = 0.000_05, 0.000_1
"""Seconds for an agent, and for a question."""


@attrs.define(eq=False)
class SlowStore:
    """It works on what it was asked also where nobody waits for the answer any more; `known` is what it was told."""

    time: Time
    epoch: str = "first"
    away: bool = False
    busy_until: float = 0.0
    known: dict[tuple[str, str], Sums] = attrs.Factory(dict)
    members: set[str] = attrs.Factory(set)

    def lose(self) -> None:
        """Forget everything."""
        self.epoch = f"after {self.epoch}"
        self.known.clear()


@attrs.define(eq=False)
class SlowLive:
    """One process's side."""

    store: SlowStore
    process: str
    up: bool = True
    unanswered: int = 0

    def start(self, news: Any) -> None:
        """Nothing was ever told."""

    def sync(self, asks: Sequence[Ask], telling: bool = False) -> "Deferred[Synced]":
        """Answered when all that was asked before is."""
        store, now = self.store, self.store.time.seconds()
        if store.away:
            return fail(LiveError("away"))
        store.busy_until = max(now, store.busy_until) + ALL + EACH * len(asks)
        answer: Deferred[Synced] = Deferred()
        if store.busy_until - now > PATIENCE:
            self.unanswered += 1
            store.time.callLater(PATIENCE, answer.errback, LiveError("no answer in time"))
        else:
            store.members.add(self.process)
            store.known.update({(self.process, ask.agent): ask.in_life for ask in asks})
            grants = tuple(self._grant(ask) for ask in asks)
            synced = Synced(store.time.wall(), store.epoch, False, len(store.members), 0, grants)
            store.time.callLater(store.busy_until - now, answer.callback, synced)
        return answer

    def _grant(self, ask: Ask) -> Grant:
        return Grant(ask.agent, False, ask.held, NOTHING, NOTHING, NOTHING, 0, 0, (), NONE_GONE)

    def tell(self, kind: str, agent: str, body: bytes, at: int | None = None) -> "Deferred[None]":
        """Heard by nobody."""
        return succeed(None)

    def once(self, key: str, seconds: int) -> "Deferred[bool]":
        """Everybody is the first."""
        return succeed(True)

    def close(self) -> "Deferred[None]":
        """Nothing to close."""
        return succeed(None)
