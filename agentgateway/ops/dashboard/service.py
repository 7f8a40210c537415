"""The dashboard as a service: listens, and makes a pass over the fleet each second and whenever somebody has come."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from autobahn.twisted.resource import WebSocketResource
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

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
from agentgateway.ops.rounds import Rounds
from agentgateway.ops.timers import timer

EVERY: Final = 1.0
"""Seconds from pass to pass."""


class DashboardService(MultiService):
    """`site` is a Twisted factory that could listen anywhere; `feed` is what viewers are told.

    `note` writes an audit record down; `keep` stores rows of the charts, of which `kept` are there from before. `handed`
    are sockets that are open already. `chart` gives rows that all processes have stored; `siblings` are the other workers,
    to which `for_siblings` answers for this one alone.
    """

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
        self.rounds = Rounds(reactor, self._pass)
        self.rounds.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._joined = None if siblings is None else JoinedFeed(live, self.feed, siblings)
        self._viewers = ViewerFactory(self._joined or self.feed, lambda: self.rounds.begin(again=True), reactor)
        access = Access(live, token)
        pages = Pages(live, self.history, access, Actions(live, note), chart)
        self.for_siblings = tree_for_siblings(pages, Relay(access, self.feed))
        merged = None if siblings is None else MergedPages(pages, siblings)
        root = tree(pages, Gate(access, WebSocketResource(self._viewers)), assets(), merged)
        self.site = ShortSite(root, reactor.seconds, reactor=reactor)
        listening(dashboard.endpoint, self.site, reactor, handed).setServiceParent(self)  # type: ignore[no-untyped-call]
        for work in (self.rounds.begin, self.site.sweep):
            timer(reactor, EVERY, work).setServiceParent(self)

    def _pass(self) -> Iterator[None]:
        yield from self.feed.run()
        if self._joined is not None:
            yield from self._joined.run()

    def stopService(self) -> "Deferred[None]":
        """Send the viewers away, and store what the charts have not stored yet."""
        self._viewers.hang_up()
        for listener in list(self.feed.viewers) if self._joined is not None else ():
            listener.end(GOING_AWAY, b"the worker stops")
        self.feed.drain()
        self._keep(list(self.history.end()))
        stopped: Deferred[None] = super().stopService()  # type: ignore[no-untyped-call]
        return stopped
