"""One process among several that serve a fleet: borrows from the shared store ahead of need, and tells it what was spent.

Calls never wait for the store, but for those that find too little borrowed; these wait for one answer, 100 ms at most.
There is one question at a time, about many agents at once:

- for calls that wait, as soon as the one before is answered, and a moment later for what will soon be needed;
- once a second for everything that has changed, and for what is held and not used: that is given back.

Without an answer everybody goes on with what is borrowed, and then as `store.on_outage` says. Whatever was spent is told
when the store is back: all that is told are sums, so nothing is lost or counted twice.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from agentgateway.domain.agent import AgentState
from agentgateway.domain.alert import Alert
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.lease import Ask, Grant, Synced
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.errors import GatewayError
from agentgateway.interfaces import ILive
from agentgateway.ops.fleetclock import FleetClock
from agentgateway.ops.tidings import Tidings

BEAT: Final = 1.0
"""Seconds between two questions, when nothing is urgent."""
SOON: Final = 0.05
"""The same for what will soon be needed."""
AT_ONCE: Final = 0.005
"""The same while calls wait."""
RETRY: Final = 0.25
"""Seconds until the store is asked again that did not answer."""
MOST: Final = 200
"""Agents in one question: Redis does nothing else meanwhile."""
LOOKED_AT: Final = 100
"""Agents asked about in a second, by all processes together, just to know what the others do with them."""
LOOK_AGAIN: Final = 5
"""Beats after which an agent that its budget has paused is asked about, though nobody calls."""


@attrs.define(eq=False)
class Cluster(Service):
    """Keeps `link` true, and what all agents hold of the fleet's. `flush` hands the journal what came of an answer."""

    live: ILive
    link: Link
    clock: FleetClock
    tidings: Tidings
    fleet: Fleet
    moment: Callable[[], Moment]
    reactor: Any
    alert: Callable[[Alert], None]
    flush: Callable[[], None]
    _due: set[str] = attrs.Factory(set)
    """To be told of, when their turn comes."""
    _holding: set[str] = attrs.Factory(set)
    """Agents that hold something, as of the latest answers."""
    _waiting: dict[str, list[Deferred[None]]] = attrs.Factory(dict)
    _noted: set[str] = attrs.Factory(set)
    """Agents that had done nothing when they were first asked for."""
    _asking: bool = False
    _asked: float = 0.0
    _next: Any = None
    _epoch: str = ""
    _beats: int = 0
    _looked: int = 0
    """Agents looked at of all, in this turn."""
    _log = Logger()

    def startService(self) -> None:
        """Connect, and tell of everything once: the store may not know how the last run of this process ended."""
        super().startService()  # type: ignore[no-untyped-call]
        self.link.wake = lambda: self._soon(SOON)
        tidings = self.tidings
        self.link.stand, self.link.cap, self.link.circuit = tidings.stand, tidings.cap, tidings.circuit
        self.live.start(self._heard)
        self.link.urgent.update(agent.id for agent in self.fleet)
        self._ask(beat=True)

    def stopService(self) -> "Deferred[None]":
        """Give everything back, and say goodbye."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        self.link.wake = lambda: None
        if self._next is not None and self._next.active():
            self._next.cancel()
        agents = self._holding | self._due | self.link.changed | self.link.urgent
        for agent in self._states(agents):
            agent.retire()
        while agents and not self.link.away:
            portion, now = set(islice(agents, MOST)), self.moment()
            agents -= portion
            try:
                await self.live.sync([agent.ask(now) for agent in self._states(portion)])
            except GatewayError:
                break
        await self.live.close()

    def borrowed(self, agent: str) -> "Deferred[None]":
        """Fires when a question about this agent that is not asked yet has been answered, or was not answered in time."""
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault(agent, []).append(waiting)
        self.link.urgent.add(agent)
        self._soon(AT_ONCE)
        return waiting

    def beat(self) -> None:
        """Once a second: everything that has changed, and what is held for nothing."""
        now = self.moment()
        self._beats += 1
        self._due |= self.link.changed
        self.link.changed.clear()
        self._due.update(agent.id for agent in self._states(self._holding) if agent.holds_idle(now))
        self._due |= self._look_around()
        if self._beats % LOOK_AGAIN == 0:
            self._due.update(agent.id for agent in self.fleet if agent.pause is not None and agent.pause.by == "budget")
        self._ask(beat=True)

    def _look_around(self) -> set[str]:
        """The next few agents in turn: what is shown of them, and what policies go by, is to be everybody's."""
        agents, few = [agent.id for agent in self.fleet], max(1, LOOKED_AT // self.link.members)
        if self._looked >= len(agents):
            self._looked = 0
        start, self._looked = self._looked, self._looked + few
        return set(agents[start : self._looked])

    # one question at a time

    def _soon(self, pause: float) -> None:
        """Ask, but no sooner than `pause` seconds after the last time."""
        if self._asking or not self.running:
            return
        now = self.reactor.seconds()
        wait = max(0.0, self._asked + pause - now)
        if self._next is not None and self._next.active():
            if self._next.getTime() <= now + wait:
                return
            self._next.cancel()
        self._next = self.reactor.callLater(wait, self._ask)

    def _ask(self, beat: bool = False) -> None:
        """Calls that wait first, then what is urgent, then the rest, as far as it goes into one question."""
        if self._asking or not self.running:
            return
        if self._next is not None and self._next.active():
            self._next.cancel()
        names: set[str] = set()
        for some in (self._waiting, self.link.urgent, self._due):
            names.update(islice(some, MOST - len(names)))
        if not (names or beat):
            return
        for done in (self.link.urgent, self._due, self.link.changed):
            done -= names
        answered = [waiting for name in names for waiting in self._waiting.pop(name, ())]
        self._asking, self._asked = True, self.reactor.seconds()
        asks: list[Ask] = []
        sent = self.clock.steady()
        asked = maybeDeferred(self._question, self._states(names), asks)
        asked.addCallbacks(self._answered, self._unanswered, (asks, sent), errbackArgs=(asks,))
        asked.addErrback(lambda failure: self._log.failure("an answer of the shared store was of no use", failure))
        asked.addBoth(lambda _: self._go_on(answered))

    def _question(self, agents: Iterable[AgentState], asks: list[Ask]) -> "Deferred[Synced]":
        """Fill `asks`, and send them."""
        self._note(agents)
        self.flush()  # what is told must not be forgotten by a kill
        now = self.moment()
        asks += [agent.ask(now) for agent in agents]
        return self.live.sync(asks)

    def _note(self, agents: Iterable[AgentState]) -> None:
        """Leave a trace of agents that will hold something: after a kill it has to be told that it was not spent."""
        for agent in agents:
            if agent.account.capped and not agent.account.life.calls and agent.id not in self._noted:
                self._noted.add(agent.id)
                self.fleet.note(agent)

    def _go_on(self, answered: Iterable["Deferred[None]"]) -> None:
        """The question is over: let go who has waited for it, and ask the next one."""
        self._asking = False
        self.flush()
        for waiting in answered:
            waiting.callback(None)
        if self._waiting or (self._due and self.link.up):
            self._soon(AT_ONCE)
        elif self.link.urgent:
            self._soon(RETRY if self.link.away else SOON)

    def _answered(self, synced: Synced, asks: list[Ask], sent: float) -> None:
        link, was_away, since = self.link, not self.link.up, self.link.since
        link.reached(self.clock.heard(synced.now, sent))
        if link.since != since:  # taken for gone meanwhile: what is held has to be told of anew
            link.urgent |= self._holding
        link.up, link.grace, link.members = True, synced.grace, max(1, synced.members)
        if synced.epoch != self._epoch:
            if self._epoch:
                link.urgent.update(agent.id for agent in self.fleet)
            self.tidings.all_again()
            self._epoch = synced.epoch
        now = self.moment()
        for ask, grant in zip(asks, synced.grants, strict=False):
            agent = self.fleet.get(ask.agent)
            if agent is not None:
                self._take(agent, ask, grant, now)
        if was_away:
            self.alert(Alert(now.wall, "store", "the shared store answers again: what was spent meanwhile is told"))
        self.tidings.again()

    def _take(self, agent: AgentState, ask: Ask, grant: Grant, now: Moment) -> None:
        if grant.turned:
            self.link.urgent.add(agent.id)
            return
        for crossing in agent.granted(ask, grant, now):
            self.fleet.crossed(agent, crossing, now)
        if agent.holds:
            self._holding.add(agent.id)
        else:
            self._holding.discard(agent.id)
        self.fleet.watch_budget(agent, now)
        agent.account.stop_streams(now.wall)

    def _unanswered(self, failure: Any, asks: list[Ask]) -> None:
        failure.trap(GatewayError)
        self._due.update(ask.agent for ask in asks)
        if self.link.up:
            self.link.up = False
            text = f"the shared store does not answer ({failure.getErrorMessage()}): going on with what is borrowed"
            self.alert(Alert(self.moment().wall, "store", text))
        if self.running:
            self._next = self.reactor.callLater(RETRY, self._ask, True)

    def _heard(self, news: Any) -> None:
        self.tidings.heard(news)
        self.flush()

    def _states(self, names: Iterable[str]) -> list[AgentState]:
        return [state for name in names if (state := self.fleet.get(name)) is not None]
