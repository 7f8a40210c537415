"""What a process has besides, where it serves a fleet together with others: made where `store` names what they share."""

import time
from collections.abc import Callable
from typing import Any, Self

import attrs

from agentgateway.config.schema import Config
from agentgateway.domain.alert import Alert
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.interfaces import ILive
from agentgateway.ops.cluster import Cluster
from agentgateway.ops.fleetclock import FleetClock
from agentgateway.ops.tidings import Tidings
from agentgateway.stores.process import home, next_run, process_id


@attrs.define(eq=False)
class Membership:
    """One process's place in a fleet. `tidings` warns, from the beginning; `join` makes the service that does the rest."""

    process: str
    live: ILive
    link: Link
    clock: FleetClock
    tidings: Tidings
    _reactor: Any

    @classmethod
    def of(
        cls, config: Config, reactor: Any, fleet: Callable[[], Fleet], moment: Callable[[], Moment], alert: "Alerting"
    ) -> Self | None:
        """None where nothing is shared. `fleet` is asked once it is made. Raises StoreError."""
        if config.shared is None:
            return None
        from agentgateway.stores.live.redis import RedisLive  # needs what is installed only with the extra

        folder = home(config.store)
        process, run = process_id(folder), next_run(folder, time.time())
        live = RedisLive.of(config.shared.live.value, process, run, reactor)
        tidings = Tidings(live, process, fleet, moment, reactor, alert)
        return cls(process, live, Link(config.shared.on_outage), FleetClock(), tidings, reactor)

    def join(self, fleet: Fleet, moment: Callable[[], Moment], alert: "Alerting", flush: Callable[[], None]) -> Cluster:
        """The service that borrows and tells; `flush` hands what has changed to the journal."""
        return Cluster(self.live, self.link, self.clock, self.tidings, fleet, moment, self._reactor, alert, flush)


Alerting = Callable[[Alert], None]
