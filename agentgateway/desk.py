"""What operators work at: the management API, metrics, the dashboard and the manhole; and what other workers ask of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from agentgateway.admin import admin_token
from agentgateway.books import Books
from agentgateway.config.schema import Admin, Dashboard
from agentgateway.domain.alert import Alert
from agentgateway.domain.history import Point
from agentgateway.domain.lease import News
from agentgateway.interfaces import IFleetHistory
from agentgateway.membership import Membership
from agentgateway.ops.aside import Aside
from agentgateway.ops.manhole import manhole
from agentgateway.ops.metrics import Metrics, Sources
from agentgateway.web.live import Live
from agentgateway.web.management.controls import Controls
from agentgateway.web.management.feed import Feed
from agentgateway.web.management.resource import alone, management
from agentgateway.web.site import GatewaySite
from agentgateway.workers.control import Control, Root
from agentgateway.workers.place import Place
from agentgateway.workers.siblings import Siblings


class Desk:
    """One gateway's; `place` is what a worker's parent has given it, with whose siblings it then answers as one."""

    def __init__(
        self, live: Live, books: Books, alert: Callable[[Alert], None], reactor: Any, place: Place | None
    ) -> None:
        self._live = live
        self._books = books
        self._reactor = reactor
        self._handed: Mapping[str, int] = {} if place is None else place.handed
        self._place = place
        self._control: Root | None = None
        self._siblings: Siblings | None = None
        self.token = admin_token(live.config.gateway, alert)
        live.fleet.admin = self.token.digest
        self.controls = Controls(live, books.append, alert)
        self.feed = Feed(reactor, live.listeners)

    def open(self, sources: Sources) -> None:
        """Be asked from now on; `sources` are what metrics are made of."""
        live = self._live
        self.metrics = Metrics(sources)
        self.metrics.counts.reserve(live.config.agents)
        live.listeners.append(self.metrics.counts.add)
        if self._place is not None:
            self._control = Root(alone(live, self.token, self.controls, self.feed, self.metrics.render, self.rest))
            self._siblings = Siblings(self._place, lambda: live.config.workers, self.token.secret, self._reactor)

    def beside(self, membership: Membership) -> None:
        """Let workers tell each other what they cannot tell the store that they share."""
        tidings, live = membership.tidings, membership.live

        def heard(words: Sequence[News]) -> None:
            tidings.heard_aside(words)
            self._books.flush()  # who has told it tells it no more

        self._live.heard = heard
        if self._siblings is not None:
            tidings.aside = Aside(self._siblings, lambda: not live.up, self._reactor).tell

    def site(self) -> GatewaySite:
        """What the gateway's port answers."""
        render = self.metrics.render
        api = management(self._live, self.token, self.controls, self.feed, render, self.rest, self._siblings)
        return GatewaySite(self._live, self._books, api)

    def control(self) -> IService | None:
        """Where a worker's siblings and parent ask; None where there are none."""
        if self._place is None or self._control is None:
            return None
        service: IService = Control(self._place.control, self._control, self._reactor)
        return service

    def dashboard(self, config: Dashboard, history: Sequence[Point]) -> Any:
        """The dashboard's service, with the charts that an earlier process left."""
        from agentgateway.ops.dashboard.service import DashboardService  # WebSockets cost a third of a second to load

        store, note = self._books.store, self._books.append
        more = (self._handed, store.chart if IFleetHistory.providedBy(store) else None, self._siblings)
        service = DashboardService(self._live, config, self.token, self._reactor, note, store.history, history, *more)
        if self._control is not None:
            self._control.dashboard = service.for_siblings
        return service

    def manhole(self, config: Admin) -> IService:
        """A Python prompt inside."""
        live, reactor = self._live, self._reactor

        def names() -> dict[str, Any]:
            return {"fleet": live.fleet, "config": live.config, "store": live.store, "reactor": reactor}

        return manhole(config, live.config.gateway.state_dir, names, reactor)

    def rest(self) -> "Deferred[None]":
        """Let others have their turn."""
        return deferLater(self._reactor, 0)
