"""The composition root: builds everything from a configuration, gives each part what it needs, and stops it in order."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.application.strports import service as listen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from agentgateway.admin import admin_token
from agentgateway.config.changes import changes
from agentgateway.config.load import load
from agentgateway.config.schema import Config, Dashboard, Gateway, Provider
from agentgateway.domain.alert import Alert, Kind
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.history import Point
from agentgateway.domain.journal import Record
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.standing import Standing
from agentgateway.domain.windows import Calendar
from agentgateway.interfaces import Snapshot
from agentgateway.ops.alerts import Alerts
from agentgateway.ops.metrics import Metrics, Sources
from agentgateway.pipeline import order
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.reckon import Reckoner
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
from agentgateway.wire.server import Limits, Server

_log = Logger("agentgateway")


def use_monotonic_clock(reactor: Any) -> None:
    """Twisted's clock is the wall clock, which set back by an hour freezes every timer for an hour; before any is set."""
    type(reactor).seconds = staticmethod(time.monotonic)


class GatewayService(MultiService):
    """The whole gateway; `server` is a Twisted factory that could listen anywhere. Raises StoreError, AuditLogError."""

    def __init__(self, config: Config, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._changes: list[Record] = []
        now = self._moment()
        self.alerts = Alerts()
        self.log = AuditLog(config.audit.log_file, config.audit.max_entries, self._alerting("audit"))
        self.store = make_store(
            config.store, config.gateway.state_dir, reactor, self._alerting("store"), config.durability
        )
        ledger = Ledger(Calendar.of(config.gateway.timezone))
        recovered = self.store.open()
        recovered.into(ledger, self._journal, now.wall)
        self._flush()
        fleet = Fleet(config, ledger, now, self._stand, self.alerts.add)
        fleet.restore(recovered.standings, now)
        self.upstreams = Upstreams(self._make_agent)
        self.live = self._build_live(config, fleet, now)
        self.token = admin_token(config.gateway)
        self.controls = Controls(self.live, self.append, self.alerts.add)
        self.feed = Feed(reactor, self.live.listeners)
        self.metrics = self._build_metrics()
        self.server = Server(reactor, self._site(), _server_limits(config.gateway))
        for endpoint in config.gateway.listen:
            listen(endpoint, self.server, reactor=reactor).setServiceParent(self)
        for work in (self.server.sweep, self.upstreams.sweep, self._settle_down, self._checkpoint, self.metrics.tick):
            timer = TimerService(1.0, guarded(work))
            timer.clock = reactor
            timer.setServiceParent(self)
        if config.dashboard is not None:
            self._build_dashboard(config.dashboard, recovered.history)

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
        """An audit record: into the log, which has it on return, and into the store's index."""
        self.log.append(record)
        self.store.audit(record)
        for listener in self.live.listeners:
            listener(record)

    def _journal(self, record: Record) -> None:
        self._changes.append(record)

    def _flush(self) -> None:
        """Hand the changes of one event to the kernel, in one write."""
        if self._changes:
            changes, self._changes = self._changes, []
            self.store.append(*changes)

    def _stand(self, standing: Standing) -> None:
        self._flush()
        self.store.append(standing)

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

    def stopService(self) -> "Deferred[None]":
        """Stop listening, then close what is open, the store last."""
        self.feed.close()
        stopped: Deferred[None] = super().stopService()  # type: ignore[no-untyped-call]
        stopped.addCallback(self._close)
        return stopped

    def _close(self, _: None) -> "Deferred[None]":
        self.server.close()
        self.upstreams.close()
        self._flush()
        closed = self.store.close(self._snapshot_of)
        return closed.addCallback(lambda _: self.log.close())


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
