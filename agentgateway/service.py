"""The composition root: builds everything from a configuration, gives each part what it needs, and stops it in order."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.application.strports import service as listen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent as WebAgent

from agentgateway.admin import admin_token
from agentgateway.config.changes import changes
from agentgateway.config.load import load
from agentgateway.config.schema import Config, Dashboard, Gateway, Provider
from agentgateway.domain.alert import Alert, Kind
from agentgateway.domain.audit import AuditRecord, lost_record
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.history import Point
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.windows import Calendar
from agentgateway.errors import GatewayError
from agentgateway.interfaces import Change, Snapshot
from agentgateway.ops.alerts import Alerts
from agentgateway.ops.drain import drain
from agentgateway.ops.metrics import Metrics, Sources
from agentgateway.ops.signals import Signals
from agentgateway.ops.systemd import Notifier
from agentgateway.ops.webhooks import TIMEOUT, Webhooks
from agentgateway.pipeline import order
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.reckon import Reckoner, warm
from agentgateway.stores.audit import AuditLog
from agentgateway.stores.make import make_store
from agentgateway.web.live import Live
from agentgateway.web.management.controls import Controls
from agentgateway.web.management.feed import Feed
from agentgateway.web.management.resource import management
from agentgateway.web.site import GatewaySite
from agentgateway.web.upstream import Upstreams
from agentgateway.wire.agent import Agent
from agentgateway.wire.endpoints import make_endpoint
from agentgateway.wire.pool import ClientLimits
from agentgateway.wire.resolver import Resolver
from agentgateway.wire.server import Limits, Server

_log = Logger("agentgateway")


def prepare(reactor: Any) -> None:
    """Make a reactor fit for this service, before anything is scheduled.

    Twisted's clock is the wall clock, which set back by an hour freezes every timer for an hour; and its name lookups
    share ten threads, so that slow names delay everything else.
    """
    type(reactor).seconds = staticmethod(time.monotonic)
    reactor.installNameResolver(Resolver(reactor))


class GatewayService(MultiService):
    """The whole gateway; `server` is a Twisted factory that could listen anywhere. Raises StoreError, AuditLogError."""

    def __init__(self, config: Config, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._changes: list[Change] = []
        now = self._moment()
        self.webhooks = Webhooks(WebAgent(reactor, connectTimeout=TIMEOUT), reactor)
        self.alerts = Alerts(self.webhooks.post)
        self.log = AuditLog(config.audit.log_file, config.audit.max_entries, self._alerting("audit"))
        self.store = make_store(
            config.store, config.gateway.state_dir, reactor, self._alerting("store"), config.durability
        )
        ledger = Ledger(Calendar.of(config.gateway.timezone))
        recovered = self.store.open()
        for lost in recovered.into(ledger, self._journal, now.wall, self.log.latest()):
            self.log.append(lost_record(lost, now.wall))
        self._flush()
        fleet = Fleet(config, ledger, now, self._journal, self.alerts.add)
        fleet.restore(recovered.standings, now)
        self.upstreams = Upstreams(self._make_agent)
        self.live = self._build_live(config, fleet, now)
        self.token = admin_token(config.gateway)
        self.controls = Controls(self.live, self.append, self.alerts.add)
        self.feed = Feed(reactor, self.live.listeners)
        self.metrics = self._build_metrics()
        self.server = Server(reactor, self._site(), _server_limits(config.gateway))
        self.systemd = Notifier(os.environ)
        self._opened = False
        self._add_services(config)

    def _add_services(self, config: Config) -> None:
        self._ports = MultiService()
        for endpoint in config.gateway.listen:
            listen(endpoint, self.server, reactor=self._reactor).setServiceParent(self._ports)
        self._ports.setServiceParent(self)
        for work in (self.server.sweep, self.upstreams.sweep, self._settle_down, self._checkpoint, self.metrics.tick):
            self._every(1.0, work)
        if self.systemd.watchdog is not None:
            self._every(self.systemd.watchdog, self.systemd.alive)
        actions: dict[int, Callable[[], object]] = {
            signal.SIGHUP: self._reload_on_signal,
            signal.SIGUSR1: self.log.reopen,
        }
        Signals(self._reactor, actions).setServiceParent(self)  # type: ignore[no-untyped-call]

    def _every(self, seconds: float, work: Callable[[], object]) -> None:
        timer = TimerService(seconds, guarded(work))
        timer.clock = self._reactor
        timer.setServiceParent(self)

    def open(self) -> None:
        """Take the store into use and be what an earlier process was, once; blocking. Raises StoreError.

        Not done when the service is made: `twistd` forks between that and starting, and a database must not be forked.
        """
        if self._opened:
            return
        self._opened = True
        now, fleet = self._moment(), self.live.fleet
        recovered = self.store.open()
        recovered.into(fleet.ledger, self._journal, now.wall)
        self._flush()
        fleet.restore(recovered.standings, now)
        warm(self.live.config, self.live.reckoner, now)
        dashboard = self.live.config.dashboard
        if dashboard is not None:
            self._build_dashboard(dashboard, recovered.history)

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
        return order.build(config, fleet, prices, self, self._flush), Reckoner(prices)

    def _build_live(self, config: Config, fleet: Fleet, now: Moment) -> Live:
        self.upstreams.configure(config.providers)
        onion, reckoner = self._rules(config, fleet)
        return Live(
            config,
            fleet,
            onion,
            reckoner,
            self.upstreams,
            self.store,
            self._moment,
            now,
            self.log.tail,
            self.alerts.recent,
            self.reload,
        )

    def _site(self) -> GatewaySite:
        """What the gateway's port answers."""
        live, metrics = self.live, self.metrics.render
        api = management(live, self.token, self.alerts.add, self.controls, self.feed, metrics, self._rest)
        return GatewaySite(live, self, api)

    def _build_dashboard(self, dashboard: Dashboard, history: Sequence[Point]) -> None:
        from agentgateway.ops.dashboard.service import DashboardService  # WebSockets cost a third of a second to load

        self.dashboard = DashboardService(
            self.live, dashboard, self.token, self._reactor, self.append, self.store.history, history
        )
        self.dashboard.setServiceParent(self)  # type: ignore[no-untyped-call]

    def _build_metrics(self) -> Metrics:
        live = self.live
        metrics = Metrics(
            Sources(
                live.fleet,
                self._moment,
                live.started,
                lambda: len(live.streams),
                self.upstreams.counts,
                lambda: self.log.missed,
                self._rest,
            )
        )
        metrics.counts.reserve(live.config.agents)
        live.listeners.append(metrics.counts.add)
        return metrics

    def _rest(self) -> "Deferred[None]":
        """Let others have their turn."""
        return deferLater(self._reactor, 0)

    # what the parts ask of each other

    def append(self, record: AuditRecord) -> None:
        """An audit record: into the log, which has it on return, and into the store's index.

        The journal hears of its call's money after the log has the record: the start after a kill in between goes by it.
        """
        self.log.append(record)
        self._flush()
        self.store.audit(record)
        for listener in self.live.listeners:
            listener(record)

    def _journal(self, record: Change) -> None:
        self._changes.append(record)

    def _flush(self) -> None:
        """Hand the changes of one event to the kernel, in one write."""
        if self._changes:
            changes, self._changes = self._changes, []
            self.store.append(*changes)

    def _alerting(self, kind: Kind) -> Callable[[str], None]:
        return lambda text: self.alerts.add(Alert(time.time(), kind, text))

    def _moment(self) -> Moment:
        return Moment(self._reactor.seconds(), time.time())

    def _make_agent(self, provider: Provider) -> Agent:
        endpoint = make_endpoint(self._reactor, provider.connect_timeout, provider.ca_file)
        limits = ClientLimits(provider.connect_timeout, provider.response_timeout, provider.silence_timeout)
        return Agent(self._reactor, endpoint, limits)

    # timers

    def _settle_down(self) -> None:
        self.live.fleet.settle_down(self._moment())
        self._flush()

    def _checkpoint(self) -> None:
        self._flush()
        self.store.checkpoint(self._snapshot_of)

    def _snapshot_of(self, agent: str) -> Snapshot:
        return self.live.fleet.ledger.account(agent).snapshot()

    # a new configuration, and the end

    def reload(self) -> Mapping[str, Any]:
        """Re-read the configuration file: all of it is in force on return, or ConfigError is raised and none of it is."""
        old, new = self.live.config, load(self.live.config.path, os.environ)
        now = self._moment()
        if new.gateway.timezone != old.gateway.timezone:
            self.live.fleet.ledger.set_calendar(Calendar.of(new.gateway.timezone), now.wall)
        self.live.fleet.configure(new, now)
        self.upstreams.configure(new.providers)
        self.live.config = new
        self.live.onion, self.live.reckoner = self._rules(new, self.live.fleet)
        self.server.limits = _server_limits(new.gateway)
        self.metrics.counts.reserve(new.agents)
        return changes(old, new)

    def _reload_on_signal(self) -> None:
        self.systemd.reloading()
        try:
            _log.info("reloaded {path}: {told}", path=self.live.config.path, told=self.reload())
        except GatewayError as error:
            _log.error("not reloaded, nothing has changed:\n{error}", error=str(error))
        self.systemd.ready()

    def stopService(self) -> "Deferred[None]":
        """Stop listening, let open calls finish within `drain_timeout`, cut the rest; then close, the store last."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.systemd.stopping()
        self.live.draining = True
        self.feed.close()
        await self._ports.disownServiceParent()
        self.server.drain()
        await drain(self._reactor, self.live.calls, self.live.config.gateway.drain_timeout)
        await maybeDeferred(super().stopService)
        self.server.close()
        self.upstreams.close()
        self.webhooks.close()
        self._flush()
        if self._opened:
            await self.store.close(self._snapshot_of)
        self.log.close()


def guarded(work: Callable[[], object]) -> Callable[[], None]:
    """`work` without its exceptions: a TimerService would stop at the first."""

    def once() -> None:
        try:
            work()
        except Exception:
            _log.failure("a timer failed and goes on", Failure())

    return once


def _server_limits(gateway: Gateway) -> Limits:
    return Limits(
        gateway.max_header_bytes,
        gateway.max_body_bytes,
        gateway.header_timeout,
        gateway.idle_timeout,
        gateway.max_connections,
    )
