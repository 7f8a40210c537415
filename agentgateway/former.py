"""Workers that are not started any more: what they have spent still counts, so it is told for them.

The shared store knows it already, unless it was emptied since; then nobody else would tell. Each is told of under its own
name, with its own sums, as it would tell them itself: so nothing counts twice, however often that is done.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any, Final, Self

import attrs
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from agentgateway.config.schema import Config
from agentgateway.domain.audit import lost_record
from agentgateway.domain.lease import Ask
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.share import Share
from agentgateway.domain.windows import Calendar
from agentgateway.errors import GatewayError
from agentgateway.interfaces import Change, ILive, LiveError
from agentgateway.ops.fleetclock import FleetClock
from agentgateway.ops.timers import timer
from agentgateway.stores.audit import AuditLog
from agentgateway.stores.make import make_store
from agentgateway.stores.process import home, next_run, process_id
from agentgateway.workers.place import Place, books_of, former

MOST: Final = 200
"""Agents told of at once."""
RETRY: Final = 1.0
"""Seconds until the next try where nobody answers."""
LOOK_AGAIN: Final = 30.0
"""Seconds until books are tried again that could not be read: most likely their worker is about to end."""

Alert = Callable[[str], None]


def left(config: Config, reactor: Any, now: float, alert: Alert) -> Ledger:
    """What the books of `config` say, blocking; they are closed again in a moment. Raises GatewayError."""
    ledger = Ledger(Calendar.of(config.gateway.timezone))
    store = make_store(config.store, config.gateway.state_dir, reactor, alert, config.durability)
    changes: list[Change] = []
    with closing(AuditLog(config.audit.log_file, 0, alert)) as log:
        recovered = store.open()
        for lost in recovered.into(ledger, changes.append, now, log.latest(), True):
            log.append(lost_record(lost, now))
    store.append(*changes)
    store.close(lambda agent: ledger.account(agent).snapshot())
    for standing in recovered.standings:  # it may have borrowed for them, and never spent
        ledger.account(standing.agent)
    return ledger


@attrs.define(eq=False)
class Former:
    """One of them: `ledger` is what it left, `connect` makes a connection by its name."""

    ledger: Ledger
    connect: Callable[[], ILive]
    reactor: Any
    clock: FleetClock = attrs.Factory(FleetClock)
    epoch: str = ""
    """Of what it was told to last."""
    _due: set[str] = attrs.Factory(set)
    _telling: Deferred[None] | None = None
    _over: bool = False
    _log = Logger("agentgateway")

    @classmethod
    def of(cls, config: Config, reactor: Any, now: float, alert: Alert) -> Self:
        """The one whose books `config` names, blocking. Raises GatewayError."""
        from agentgateway.stores.live.redis import RedisLive  # needs what is installed only with the extra

        assert config.shared is not None
        url, folder = config.shared.live.value, home(config.store)
        ledger = left(config, reactor, now, alert)
        process, run = process_id(folder), next_run(folder, now)
        return cls(ledger, lambda: RedisLive.of(url, process, run, reactor), reactor)

    def tell(self) -> None:
        """Tell of all its agents, however long that takes."""
        self._due.update(account.id for account in self.ledger)
        if self._telling is None:
            self._telling = Deferred.fromCoroutine(self._tell())
            self._telling.addErrback(lambda failure: failure.trap(CancelledError) and None)
            self._telling.addErrback(lambda failure: self._log.failure("what a worker left is not told", failure))
            self._telling.addBoth(self._told)

    def _told(self, _: object) -> None:
        self._telling = None

    async def _tell(self) -> None:
        live = self.connect()
        live.start(lambda news: None)
        try:
            while self._due and not self._over:
                some = set(islice(self._due, MOST))
                self._due -= some
                try:
                    await self._portion(live, some)
                except LiveError:
                    self._due |= some
                    if not self._over:
                        await deferLater(self.reactor, RETRY)
        finally:
            await live.close()

    async def _portion(self, live: ILive, agents: set[str]) -> None:
        sent, now = self.clock.steady(), self.clock.now()
        synced = await live.sync([self._ask(agent, now) for agent in agents], bool(self._due))
        self.clock.heard(synced.now, sent)
        self._due.update(grant.agent for grant in synced.grants if grant.turned)
        if self.epoch not in ("", synced.epoch):  # it was emptied meanwhile
            self._due.update(account.id for account in self.ledger)
        self.epoch = synced.epoch

    def _ask(self, agent: str, now: float) -> Ask:
        return Share(self.ledger.account(agent), Link()).ask(now, (0, 0, None), ())

    async def stop(self) -> None:
        """Leave it at that."""
        self._over = True
        if (telling := self._telling) is not None:
            telling.cancel()
            await telling


class FormerWorkers(MultiService):
    """All who left books and are not started any more, as the first worker sees to it, or who is alone.

    They are told of at the start, and whenever the shared state was lost, as `link` knows. Without one nothing of theirs
    counts, of which people are told.
    """

    def __init__(
        self,
        config: Config,
        place: Place | None,
        link: Link | None,
        now: Callable[[], float],
        reactor: Any,
        alert: Alert,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        folder = config.gateway.state_dir if place is None else place.state_dir
        numbers = former(folder, config.workers) if place is None or place.number == 0 else []
        self._failures: Counter[int] = Counter()
        self._unread = {number: books_of(config, folder, number) for number in numbers}
        self._read: list[Former] = []
        self._now, self._reactor, self._alert = now, reactor, alert
        self._look_at = reactor.seconds()
        if numbers:
            work = self._warn if link is None else partial(self._beat, link)
            timer(reactor, 1.0, work).setServiceParent(self)

    def _warn(self) -> None:
        """Once."""
        names = ", ".join(f"worker-{number}" for number in self._unread)
        if names:
            self._alert(f"what {names} in the state folder have spent counts no more: store is this process's alone")
        self._unread.clear()

    def _beat(self, link: Link) -> None:
        """Once a second."""
        if self._unread and self._reactor.seconds() >= self._look_at:
            self._look_at += LOOK_AGAIN
            self._look()
        for one in self._read:
            if one.epoch != link.epoch:
                one.tell()

    def _look(self) -> None:
        for number, config in list(self._unread.items()):
            try:
                one = Former.of(config, self._reactor, self._now(), self._alert)
            except GatewayError as error:
                self._failures[number] += 1
                if self._failures[number] == 2:  # at first it may be that it is about to end
                    self._alert(f"what worker {number} has spent cannot be told yet: {error}")
                continue
            del self._unread[number]
            if len(one.ledger):
                self._read.append(one)

    def stopService(self) -> "Deferred[Any]":
        """Leave it at that."""
        stopping = [maybeDeferred(super().stopService), *(Deferred.fromCoroutine(one.stop()) for one in self._read)]
        return gatherResults(stopping)
