"""The composition root: builds everything from a configuration, gives each part what it needs, and stops it in order."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from agentgateway.books import Books
from agentgateway.config.changes import changes
from agentgateway.config.load import load
from agentgateway.config.schema import Config
from agentgateway.desk import Desk
from agentgateway.domain.alert import Alert, Kind
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.windows import Calendar
from agentgateway.former import FormerWorkers
from agentgateway.interfaces import IFleetHistory
from agentgateway.membership import Membership
from agentgateway.ops.alerts import Alerts
from agentgateway.ops.cluster import BEAT
from agentgateway.ops.drain import SecondSignal, drain, gone
from agentgateway.ops.lag import TICK, Lag
from agentgateway.ops.listening import listening
from agentgateway.ops.metrics import Sources
from agentgateway.ops.settling import settling
from agentgateway.ops.signals import Signals
from agentgateway.ops.systemd import Notifier
from agentgateway.ops.timers import timer
from agentgateway.ops.traces import Traces
from agentgateway.ops.webhooks import Webhooks, web_agent
from agentgateway.pipeline import order
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.reckon import Reckoner, warm
from agentgateway.web.live import Live
from agentgateway.web.management.controls import Order
from agentgateway.web.management.problems import Problem
from agentgateway.web.upstream import Upstreams
from agentgateway.wire.outbox import Outbox
from agentgateway.wire.server import Server
from agentgateway.wiring import maker, server_limits
from agentgateway.workers.place import Place

_log = Logger("agentgateway")


class GatewayService(MultiService):
    """The whole gateway; `server` is a factory that could listen anywhere. Raises StoreError, AuditLogError, ListenError.

    `place` is what a worker's parent has given it, whose `config` is then its own; None: this process is all there is.
    """

    def __init__(self, config: Config, reactor: Any, place: Place | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._place, self._begun = place, config
        self._handed = {} if place is None else place.handed
        self._wall = time.time
        self.alerts = Alerts(lambda alert: self.webhooks.post(alert))
        self.membership = Membership.of(config, reactor, lambda: self.live.fleet, self._moment, self.alerts.add)
        if self.membership is not None:
            self._wall = self.membership.clock.now
        now = self._moment()
        self.webhooks = Webhooks(web_agent(reactor), reactor)
        ledger = Ledger(Calendar.of(config.gateway.timezone))
        outbox = Outbox(reactor)
        self.books = Books(config, ledger, reactor, self._alerting("audit"), self._alerting("store"), outbox)
        fleet = self._fleet(config, ledger, now)
        self.upstreams = Upstreams(maker(reactor, outbox))
        self.live = self._build_live(config, fleet, now)
        self.books.listeners = self.live.listeners
        self.desk = Desk(self.live, self.books, self.alerts.add, reactor, place)
        self.traces = None if config.gateway.otlp_endpoint is None else Traces(config.gateway.otlp_endpoint, reactor)
        self.lag = Lag(reactor.seconds, self.live, self._alerting("overload"))
        self.desk.open(self._sources())
        self.server = Server(reactor, self.desk.site(), server_limits(config.gateway), outbox)
        self.systemd = Notifier(os.environ) if place is None else place.notifier()
        self._opened = False
        self._ending: Deferred[None] | None = None
        self._add_services(config)
        if config.admin.manhole is not None:
            self.desk.manhole(config.admin).setServiceParent(self)

    def _fleet(self, config: Config, ledger: Ledger, now: Moment) -> Fleet:
        member = self.membership
        if member is None:
            return Fleet(config, ledger, now, self.books.stand, self.alerts.add)
        return Fleet(config, ledger, now, self.books.stand, member.tidings.warn, member.link)

    def _add_services(self, config: Config) -> None:
        control = self.desk.control()
        if control is not None:
            control.setServiceParent(self)
        self._ports = MultiService()
        for endpoint in config.gateway.listen:
            listening(endpoint, self.server, self._reactor, self._handed).setServiceParent(self._ports)  # type: ignore[no-untyped-call]
        self._ports.setServiceParent(self)
        rounds = settling(self._reactor, self.live.fleet, self._moment, self.books.flush)
        rounds.setServiceParent(self)  # type: ignore[no-untyped-call]
        for work in (self.server.sweep, self.upstreams.sweep, rounds.begin, self.books.checkpoint):
            self._every(1.0, work)
        self._every(TICK, self.lag.tick)
        if self.membership is not None:
            self.desk.beside(self.membership)
            cluster = self.membership.join(self.live.fleet, self._moment, self.alerts.add, self.books.flush)
            self.live.borrowed = cluster.borrowed
            cluster.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._every(BEAT, cluster.beat)
        link = None if self.membership is None else self.membership.link
        left = FormerWorkers(config, self._place, link, self._wall, self._reactor, self._alerting("store"))
        left.setServiceParent(self)  # type: ignore[no-untyped-call]
        if self.traces is not None:
            self.live.listeners.append(self.traces.add)
            self.traces.setServiceParent(self)  # type: ignore[no-untyped-call]
            self._every(1.0, self.traces.tell)
        if self.systemd.watchdog is not None:
            self._every(self.systemd.watchdog, self.systemd.alive)
        on_hangup, on_user1 = self._reload_on_signal, self.books.log.reopen
        Signals(self._reactor, {signal.SIGHUP: on_hangup, signal.SIGUSR1: on_user1}).setServiceParent(self)  # type: ignore[no-untyped-call]

    def _every(self, seconds: float, work: Callable[[], object]) -> None:
        timer(self._reactor, seconds, work).setServiceParent(self)

    def open(self) -> None:
        """Be what an earlier process was, once; blocking. Raises StoreError."""
        if self._opened:
            return
        self._opened = True
        now = self._moment()
        recovered = self.books.open(self.live.fleet, now)
        warm(self.live.config, self.live.reckoner, now)
        dashboard = self.live.config.dashboard
        if dashboard is not None:
            self.dashboard = self.desk.dashboard(dashboard, recovered.history)
            self.dashboard.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """Listen."""
        self.open()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Serve calls."""
        self.open()
        super().startService()  # type: ignore[no-untyped-call]
        self.systemd.ready()

    def _rules(self, config: Config, fleet: Fleet) -> tuple[Onion, Reckoner]:
        """What calls are governed by under `config`."""
        prices = PriceBook(config.prices, config.unpriced_models)
        return order.build(config, fleet, prices, self.books, self.books.commit), Reckoner(prices, self.alerts.add)

    def _build_live(self, config: Config, fleet: Fleet, now: Moment) -> Live:
        self.upstreams.configure(config.providers)
        onion, reckoner = self._rules(config, fleet)
        return Live(
            config,
            fleet,
            onion,
            reckoner,
            self.upstreams,
            self.books.store,
            self._moment,
            now,
            self.books.log.tail,
            self.alerts.recent,
            self.reload,
        )

    def _sources(self) -> Sources:
        """What metrics are made of."""
        live, store = self.live, self.books.store
        return Sources(
            live.fleet,
            self._moment,
            live.started,
            lambda: len(live.streams),
            self.upstreams.counts,
            lambda: self.books.log.missed,
            self.desk.rest,
            lambda: len(self._reactor.getDelayedCalls()),
            lambda: self.lag.longest,
            lambda: live.overloaded,
            lambda: 0 if self.traces is None else self.traces.dropped,
            None if self.membership is None else self.membership.link,
            store.waits if IFleetHistory.providedBy(store) else None,
        )

    def _alerting(self, kind: Kind) -> Callable[[str], None]:
        return lambda text: self.alerts.add(Alert(time.time(), kind, text))

    def _moment(self) -> Moment:
        return Moment(self._reactor.seconds(), self._wall())

    def reload(self) -> Mapping[str, Any]:
        """Re-read the configuration file: all of it is in force on return, or ConfigError is raised and none of it is."""
        old, new = self.live.config, load(self.live.config.path, os.environ)
        new = new if self._place is None else self._place.own(new)
        now = self._moment()
        if new.gateway.timezone != old.gateway.timezone:
            self.live.fleet.ledger.set_calendar(Calendar.of(new.gateway.timezone), now.wall)
        self.live.fleet.configure(new, now)
        self.upstreams.configure(new.providers)
        self.live.config = new
        self.live.onion, self.live.reckoner = self._rules(new, self.live.fleet)
        self.server.limits = server_limits(new.gateway)
        self.server.heads.clear()
        self.desk.metrics.counts.reserve(new.agents)
        told = changes(old, new, self._begun)
        changed = (self.live.fleet.get(id) for id in told["agents"]["changed"])
        told["kept_caps"] = [agent.id for agent in changed if agent is not None and agent.caps_differ]
        return told

    def _reload_on_signal(self) -> None:
        self.systemd.reloading()
        try:
            self.desk.controls.reload(Order("signal", "SIGHUP", self.live.config.path))
        except Problem as problem:
            _log.error("not reloaded, nothing has changed:\n{problem}", problem=problem.message)
        finally:
            self.systemd.ready()

    def stopService(self) -> "Deferred[None]":
        """Stop listening, let open calls finish within `drain_timeout`, cut the rest; then close, the store last."""
        if self._ending is None:
            self._ending = Deferred.fromCoroutine(self._stop())
        return self._ending

    async def _stop(self) -> None:
        if not self.running:
            return await self.books.close()
        self.systemd.stopping()
        again = SecondSignal(self._reactor)
        again.startService()
        self.live.draining = self.live.last_calls = True
        await maybeDeferred(self._ports.disownServiceParent)
        self.server.draining = True
        await gone(self._reactor, self.server.channels)
        self.live.last_calls = False
        self.server.drain()
        await drain(self._reactor, self.live.calls, self.live.config.gateway.drain_timeout, again)
        self.desk.feed.close()
        await gone(self._reactor, self.server.channels)
        await maybeDeferred(super().stopService)
        self.server.close()
        self.upstreams.close()
        self.webhooks.close()
        await self.books.close()
        again.stopService()
