"""The composition root: builds everything from a configuration and gives each part what it needs; does nothing itself."""

import os
import time
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.application.strports import service as listen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from agentgateway.config.load import load
from agentgateway.config.schema import Config, Gateway, Provider
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.windows import Calendar
from agentgateway.errors import GatewayError
from agentgateway.ops.alerts import Alerts
from agentgateway.pipeline import order
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.stores.audit import AuditLog
from agentgateway.web.live import Live
from agentgateway.web.management import management
from agentgateway.web.site import GatewaySite
from agentgateway.web.upstream import Upstreams
from agentgateway.wire.agent import Agent
from agentgateway.wire.endpoints import make_endpoint
from agentgateway.wire.pool import ClientLimits
from agentgateway.wire.server import Limits, Server

_log = Logger("agentgateway")


class Options(usage.Options):
    """What `twistd agentgateway` takes."""

    optParameters = [["config", "c", "gateway.yaml", "The configuration file."]]


def makeService(options: Options) -> MultiService:
    """The gateway as one service; raises UsageError with every mistake in the configuration."""
    from twisted.internet import reactor

    use_monotonic_clock(reactor)
    try:
        return GatewayService(load(options["config"], os.environ), reactor)
    except GatewayError as error:
        raise usage.UsageError(str(error))


def use_monotonic_clock(reactor: Any) -> None:
    """Twisted's clock is the wall clock, which set back by an hour freezes every timer for an hour; before any is set."""
    type(reactor).seconds = staticmethod(time.monotonic)


class GatewayService(MultiService):
    """The whole gateway of one configuration; `server` is a Twisted factory that could listen anywhere."""

    def __init__(self, config: Config, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

        def moment() -> Moment:
            return Moment(reactor.seconds(), time.time())

        def make_agent(provider: Provider) -> Agent:
            endpoint = make_endpoint(reactor, provider.connect_timeout, provider.ca_file)
            return Agent(reactor, endpoint, _client_limits(provider))

        self.alerts = Alerts()
        ledger = Ledger(Calendar.of(config.gateway.timezone))
        fleet = Fleet(config, ledger, moment(), alert=self.alerts.add)
        prices = PriceBook(config.prices, config.unpriced_models)
        audit = config.audit
        self.journal = AuditLog(audit.log_file, audit.max_entries, lambda text: _log.error("{text}", text=text))
        self.upstreams = Upstreams(make_agent)
        self.upstreams.configure(config.providers)
        onion = order.build(config, fleet, prices, self.journal, lambda: None)
        self.live = Live(config, fleet, onion, Reckoner(prices), self.upstreams, moment, moment())
        site = GatewaySite(self.live, self.journal, management(self.live))
        self.server = Server(reactor, site, _server_limits(config.gateway))

        for endpoint in config.gateway.listen:
            listen(endpoint, self.server, reactor=reactor).setServiceParent(self)
        for work in (self.server.sweep, self.upstreams.sweep, lambda: fleet.settle_down(moment())):
            timer = TimerService(1.0, guarded(work))
            timer.clock = reactor
            timer.setServiceParent(self)

    def stopService(self) -> "Deferred[None]":
        """Stop listening, then close what is open."""
        stopped: Deferred[None] = super().stopService()  # type: ignore[no-untyped-call]
        return stopped.addCallback(self._close)

    def _close(self, _: None) -> None:
        self.server.close()
        self.upstreams.close()
        self.journal.close()


def guarded(work: Any) -> Any:
    """`work` without its exceptions: a TimerService would stop at the first."""

    def once() -> None:
        try:
            work()
        except Exception:
            _log.failure("a timer failed and goes on", Failure())

    return once


def _client_limits(provider: Provider) -> ClientLimits:
    return ClientLimits(provider.connect_timeout, provider.response_timeout, provider.silence_timeout)


def _server_limits(gateway: Gateway) -> Limits:
    return Limits(
        gateway.max_header_bytes,
        gateway.max_body_bytes,
        gateway.header_timeout,
        gateway.idle_timeout,
        gateway.max_connections,
    )
