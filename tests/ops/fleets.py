"""Gateways of one fleet without sockets: real agents and coordinators, on the scripts of the shared store, by one clock."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
from twisted.internet.task import Clock

from agentgateway.domain.alert import Alert
from agentgateway.domain.fleet import AgentState, Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import Standing
from agentgateway.domain.windows import Calendar
from agentgateway.ops.cluster import Cluster
from agentgateway.ops.fleetclock import FleetClock
from agentgateway.ops.tidings import Tidings
from tests.pipeline.calls import config_of
from tests.stores.live.memory import MemoryLive

HOUR = 1_790_002_800
"""Epoch seconds at which a clock hour begins, in UTC."""


class Time(Clock):
    """The time of all: the reactor's begins at 1000, the calendar's just after the hour."""

    def __init__(self) -> None:
        super().__init__()
        self.advance(1000.0)

    def wall(self) -> float:
        """Epoch seconds."""
        return HOUR - 1000.0 + 60.0 + self.seconds()

    def moment(self) -> Moment:
        """Both."""
        return Moment(self.seconds(), self.wall())


@attrs.define(eq=False)
class Member:
    """One gateway's part; `standings` and `alerts` are what it noted and told."""

    time: Time
    live: Any
    fleet: Fleet
    link: Link
    tidings: Tidings
    cluster: Cluster
    standings: list[Standing]
    alerts: list[Alert]

    def agent(self, name: str) -> AgentState:
        """An agent as this gateway has it."""
        agent = self.fleet.find(name, self.time.moment())
        assert agent is not None
        return agent

    def spend(self, name: str, cost: int, error: bool = False) -> None:
        """One call, held and settled."""
        agent, now = self.agent(name), self.time.moment()
        account = agent.account
        reservation = account.reserve(now.wall, cost, f"{now.wall}-{account.life.calls}")
        for crossing in account.settle(now.wall, reservation, cost):
            self.fleet.crossed(agent, crossing, now)
        account.count(now.wall, error=error, input_tokens=1, output_tokens=1)

    def spend_free(self, name: str) -> None:
        """One call that costs nothing."""
        self.agent(name).account.count(self.time.wall(), error=False, input_tokens=1, output_tokens=1)


def member(
    server: Any,
    time: Time,
    config: str,
    process: str,
    run: str = "1",
    make: Callable[..., Any] = MemoryLive,
    noted: Iterable[Standing] = (),
    **link: Any,
) -> Member:
    """A gateway, begun; `noted` is what a former run of it noted."""
    standings: list[Standing] = []
    alerts: list[Alert] = []
    live = make(server, process, run)
    made: list[Fleet] = []
    tidings = Tidings(live, process, lambda: made[0], time.moment, time, alerts.append)
    lent = Link(**link)
    ledger = Ledger(Calendar.of("UTC"))
    fleet = Fleet(config_of(config), ledger, time.moment(), standings.append, tidings.warn, lent)
    made.append(fleet)
    fleet.restore(noted, time.moment())
    clock = FleetClock(time.seconds, time.wall)
    cluster = Cluster(live, lent, clock, tidings, fleet, time.moment, time, alerts.append, lambda: None)
    cluster.startService()
    return Member(time, live, fleet, lent, tidings, cluster, standings, alerts)


def run(members: list[Member], seconds: float) -> None:
    """Let time pass, in steps of 20 ms, with a beat each second."""
    for step in range(round(seconds * 50)):
        members[0].time.advance(0.02)
        if step % 50 == 49:
            for one in members:
                one.cluster.beat()
