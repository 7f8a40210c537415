"""The dashboard as a service: listens, and makes a pass over the fleet each second and whenever somebody has come."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from autobahn.twisted.resource import WebSocketResource
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator, SchedulerStopped
from twisted.logger import Logger
from twisted.python.failure import Failure

from agentgateway.admin import AdminToken
from agentgateway.config.schema import Dashboard
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.history import History, Point
from agentgateway.interfaces import Siblings
from agentgateway.ops.dashboard.access import Access
from agentgateway.ops.dashboard.actions import Actions
from agentgateway.ops.dashboard.charts import Chart
from agentgateway.ops.dashboard.feed import Feed
from agentgateway.ops.dashboard.joined import JoinedFeed
from agentgateway.ops.dashboard.merged import MergedPages
from agentgateway.ops.dashboard.relayed import Relay
from agentgateway.ops.dashboard.resources import Gate, Pages
from agentgateway.ops.dashboard.shared import Shared
from agentgateway.ops.dashboard.site import ShortSite, assets
from agentgateway.ops.dashboard.trees import tree, tree_for_siblings
from agentgateway.ops.dashboard.viewer import GOING_AWAY, ViewerFactory
from agentgateway.ops.listening import listening
from agentgateway.ops.timers import timer

EVERY: Final = 1.0
"""Seconds from pass to pass."""


class DashboardService(MultiService):
    """`site` is a Twisted factory that could listen anywhere; `feed` is what viewers are told.

    `note` writes an audit record down; `keep` stores rows of the charts, of which `kept` are there from before. `handed`
    are sockets that are open already. `chart` gives rows that all processes have stored; `siblings` are the other workers,
    to which `for_siblings` answers for this one alone.
    """

    _log = Logger()

    def __init__(
        self,
        live: Shared,
        dashboard: Dashboard,
        token: AdminToken,
        reactor: Any,
        note: Callable[[AuditRecord], None],
        keep: Callable[[Sequence[Point]], None],
        kept: Iterable[Point] = (),
        handed: Mapping[str, int] = {},
        chart: Chart | None = None,
        siblings: Siblings | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._keep = keep
        self.history = History()
        self.history.restore(kept, live.moment().wall)
        self.feed = Feed(live, self.history, keep)
        live.listeners.append(self.feed.pending.append)
        self._steps = Cooperator(lambda: lambda: True, lambda step: reactor.callLater(0, step))
        self._running: Deferred[Any] | None = None
        self._again = False
        self._joined = None if siblings is None else JoinedFeed(live, self.feed, siblings)
        self._viewers = ViewerFactory(self._joined or self.feed, self.pass_over, reactor)
        access = Access(live, token)
        pages = Pages(live, self.history, access, Actions(live, note), chart)
        self.for_siblings = tree_for_siblings(pages, Relay(access, self.feed))
        merged = None if siblings is None else MergedPages(pages, siblings)
        root = tree(pages, Gate(access, WebSocketResource(self._viewers)), assets(), merged)
        self.site = ShortSite(root, reactor.seconds, reactor=reactor)
        listening(dashboard.endpoint, self.site, reactor, handed).setServiceParent(self)  # type: ignore[no-untyped-call]
        for work in (self.pass_over, self.site.sweep):
            timer(reactor, EVERY, work).setServiceParent(self)

    def pass_over(self) -> None:
        """Look at the fleet and tell the viewers; where that is under way already, once more behind it."""
        if self._running is not None:
            self._again = True
            return
        self._running = self._steps.coiterate(self._pass())
        self._running.addErrback(self._failed).addCallback(self._over)

    def _pass(self) -> Iterator[None]:
        yield from self.feed.run()
        if self._joined is not None:
            yield from self._joined.run()

    def _over(self, _: Any) -> None:
        self._running = None
        waiting = self._again and any(not current for current in self._viewers.feed.viewers.values())
        self._again = False
        if waiting:
            self.pass_over()

    def _failed(self, failure: Failure) -> None:
        if failure.check(SchedulerStopped):
            return  # the gateway stops
        self._log.failure("a pass of the dashboard failed; the next one will be tried", failure)

    def stopService(self) -> "Deferred[None]":
        """Send the viewers away, and store what the charts have not stored yet."""
        self._viewers.hang_up()
        for listener in list(self.feed.viewers) if self._joined is not None else ():
            listener.end(GOING_AWAY, b"the worker stops")
        self._steps.stop()
        self.feed.drain()
        self._keep(list(self.history.end()))
        stopped: Deferred[None] = super().stopService()  # type: ignore[no-untyped-call]
        return stopped
