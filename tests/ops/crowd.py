"""A store that takes its time, for many processes at once: it answers one after the other, so much time for each agent."""

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

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
    words: set[tuple[str, str]] = attrs.Factory(set)
    members: set[str] = attrs.Factory(set)

    def lose(self) -> None:
        """Forget everything."""
        self.epoch = f"after {self.epoch}"
        self.known.clear()
        self.words.clear()

    def work(self, seconds: float) -> float | None:
        """So much is to be done: for how long it has to be waited for; None is too long."""
        now = self.time.seconds()
        self.busy_until = max(now, self.busy_until) + seconds
        wait = self.busy_until - now
        return wait if wait <= PATIENCE else None


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
        store = self.store
        if store.away:
            return fail(LiveError("away"))
        wait = store.work(ALL + EACH * len(asks))
        if wait is None:
            return self._in_vain()
        store.members.add(self.process)
        store.known.update({(self.process, ask.agent): ask.in_life for ask in asks})
        grants = tuple(self._grant(ask) for ask in asks)
        return self._later(wait, Synced(store.time.wall(), store.epoch, False, len(store.members), 0, grants))

    def _later(self, wait: float, answer: Any) -> "Deferred[Any]":
        answered: Deferred[Any] = Deferred()
        self.store.time.callLater(wait, answered.callback, answer)
        return answered

    def _in_vain(self) -> "Deferred[Any]":
        self.unanswered += 1
        return self._later(PATIENCE, Failure(LiveError("no answer in time")))

    def _grant(self, ask: Ask) -> Grant:
        return Grant(ask.agent, False, ask.held, NOTHING, NOTHING, NOTHING, 0, 0, (), NONE_GONE)

    def tell(self, kind: str, agent: str, body: bytes, at: int | None = None) -> "Deferred[None]":
        """Kept, and heard by nobody."""
        wait = None if self.store.away else self.store.work(EACH)
        if wait is None:
            return self._in_vain()
        self.store.words.add((self.process, agent))
        return self._later(wait, None)

    def once(self, key: str, seconds: int) -> "Deferred[bool]":
        """Everybody is the first."""
        return succeed(True)

    def close(self) -> "Deferred[None]":
        """Nothing to close."""
        return succeed(None)
