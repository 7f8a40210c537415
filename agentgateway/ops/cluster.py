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
from agentgateway.ops.pace import Pace, Stopwatch
from agentgateway.ops.tidings import Tidings
from agentgateway.ops.turns import Turns

BEAT: Final = 1.0
"""Seconds between two questions, when nothing is urgent."""
SOON: Final = 0.05
"""The same for what will soon be needed."""
AT_ONCE: Final = 0.005
"""The same while calls wait."""
AGAIN: Final = 0.25
"""The same while they wait for a new fleet's store to lend."""


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
    pace: Pace = attrs.Factory(Pace)
    turns: Turns = attrs.field(init=False)
    _waiting: dict[str, list[Deferred[None]]] = attrs.Factory(dict)
    _noted: set[str] = attrs.Factory(set)
    """Agents that had done nothing when they were first asked for."""
    _asking: "Deferred[None] | None" = None
    """The question under way."""
    _asked: float = 0.0
    _waited: Stopwatch = attrs.field(init=False)
    _next: Any = None
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self.turns, self._waited = Turns(self.fleet, self.link), Stopwatch(self.reactor)

    def startService(self) -> None:
        """Connect, and tell of everything once: what was spent first, by which an empty store finds out what it has lost."""
        super().startService()  # type: ignore[no-untyped-call]
        self.link.wake = lambda: self._soon(SOON)
        tidings = self.tidings
        self.link.stand, self.link.cap, self.link.circuit = tidings.stand, tidings.cap, tidings.circuit
        self.live.start(self._heard)
        self.turns.forgotten()
        self.turns.due.update(agent.id for agent in self.fleet)
        self._ask()

    def stopService(self) -> "Deferred[None]":
        """Give everything back, and say goodbye."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        self.link.wake = lambda: None
        if self._next is not None and self._next.active():
            self._next.cancel()
        if self._asking is not None:  # what it brings has to be given back, too
            await self._asking
        self.flush()
        agents = self.turns.all()
        for agent in self.turns.states(agents):
            agent.retire()
        while agents and self.link.up:
            portion, now = set(islice(agents, self.pace.portion)), self.moment()
            agents -= portion
            try:
                await self.live.sync([agent.ask(now) for agent in self.turns.states(portion)])
            except GatewayError:
                break
        await self.live.close()

    def borrowed(self, agent: str) -> "Deferred[None]":
        """Fires when a question about this agent that is not asked yet has been answered, or was not answered in time.

        While a store that nobody knew before lends nothing yet, that is no answer: for these few seconds calls wait.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault(agent, []).append(waiting)
        self.link.urgent.add(agent)
        self._soon(AT_ONCE)
        return waiting

    def beat(self) -> None:
        """Once a second: everything that has changed, and what is held for nothing."""
        self.turns.beat(self.moment())
        self._ask()

    # one question at a time

    @property
    def _free_at(self) -> float:
        """No question before that; calls that wait leave the store no rest, as long as it answers."""
        return 0.0 if self._waiting and self.link.up else self.pace.free_at

    def _soon(self, pause: float) -> None:
        """Ask, but no sooner than `pause` seconds after the last time, nor than is well for the store."""
        if self._asking is not None or not self.running:
            return
        now = self.reactor.seconds()
        at = max(now, self._asked + pause, self._free_at)
        if self._next is not None and self._next.active():
            if self._next.getTime() <= at:
                return
            self._next.cancel()
        self._next = self.reactor.callLater(at - now, self._ask)

    def _ask(self) -> None:
        """Calls that wait first, then what is urgent, then the rest, as far as it goes into one question."""
        if self._asking is not None or not self.running:
            return
        if self.reactor.seconds() < self._free_at:
            self._soon(0.0)
            return
        if self._next is not None and self._next.active():
            self._next.cancel()
        names = self.turns.take(self.pace.portion, self._waiting)
        answered = {name: self._waiting.pop(name, []) for name in names}
        self._asking, self._asked = Deferred(), self.reactor.seconds()
        self._waited.begin()
        asks: list[Ask] = []
        sent = self.clock.steady()
        asked = maybeDeferred(self._question, self.turns.states(names), asks)
        asked.addCallbacks(self._answered, self._unanswered, (asks, sent), errbackArgs=(asks,))
        asked.addErrback(lambda failure: self._log.failure("an answer of the shared store was of no use", failure))
        asked.addBoth(lambda _: self._go_on(answered))

    def _question(self, agents: Iterable[AgentState], asks: list[Ask]) -> "Deferred[Synced]":
        """Fill `asks`, and send them."""
        self._note(agents)
        self.flush()  # what is told must not be forgotten by a kill
        now = self.moment()
        asks += [agent.ask(now) for agent in agents]
        return self.live.sync(asks, bool(self.turns.untold) or self.tidings.owes)

    def _note(self, agents: Iterable[AgentState]) -> None:
        """Leave a trace of agents that will hold something: after a kill it has to be told that it was not spent."""
        for agent in agents:
            if agent.account.capped and not agent.account.life.calls and agent.id not in self._noted:
                self._noted.add(agent.id)
                self.fleet.note(agent)

    def _go_on(self, answered: dict[str, list["Deferred[None]"]]) -> None:
        """The question is over: let go who has waited for it, and ask the next one."""
        self._waited.end()
        over, self._asking = self._asking, None
        self.flush()
        begins = self.link.lends and self.link.grace
        if begins:
            for name, some in answered.items():
                if some:
                    self._waiting.setdefault(name, []).extend(some)
        else:
            self._let_go(answered)
        if not self.link.lends:  # nobody else will get an answer soon
            self._let_go(self._waiting)
        if (self._waiting and not begins) or self.turns.due or self.turns.untold or self.tidings.owes:
            self._soon(AT_ONCE)
        elif self.link.urgent or not self.link.up:
            self._soon(SOON)
        elif self._waiting:
            self._soon(AGAIN)
        if over is not None:
            over.callback(None)

    def _let_go(self, waiting: dict[str, list["Deferred[None]"]]) -> None:
        gone = [one for name in list(waiting) for one in waiting.pop(name)]
        for one in gone:
            one.callback(None)

    def _answered(self, synced: Synced, asks: list[Ask], sent: float) -> None:
        link, was_away, since = self.link, not self.link.up, self.link.since
        self.pace.answered(self.reactor.seconds(), self._waited.took)
        link.reached(self.clock.heard(synced.now, sent))
        if link.since != since:  # taken for gone meanwhile: what is held has to be told of anew
            link.urgent |= self.turns.holding
        link.up, link.grace, link.begins = True, synced.grace, synced.begins
        link.members = max(1, synced.members)
        if synced.epoch != link.epoch:
            if link.epoch:
                self.turns.forgotten()
                self.pace.begin_anew()
            self.tidings.all_again()
            link.epoch = synced.epoch
        now = self.moment()
        for ask, grant in zip(asks, synced.grants, strict=False):
            agent = self.fleet.get(ask.agent)
            if agent is not None:
                self._take(agent, ask, grant, now)
        if was_away:
            text = "the shared store answers again: what was spent meanwhile is told"
            self.alert(Alert(now.wall, "store", text, good=True))
        self.tidings.again(self.pace.words)

    def _take(self, agent: AgentState, ask: Ask, grant: Grant, now: Moment) -> None:
        if grant.turned:
            self.link.urgent.add(agent.id)
            return
        for crossing in agent.granted(ask, grant, now):
            self.fleet.crossed(agent, crossing, now)
        self.turns.learned(agent)
        self.fleet.watch_budget(agent, now)
        agent.account.stop_streams(now.wall)

    def _unanswered(self, failure: Any, asks: list[Ask]) -> None:
        self.turns.missed(ask.agent for ask in asks)
        self.pace.unanswered(self.reactor.seconds())
        failure.trap(GatewayError)
        if self.link.up:
            self.link.up = False
            text = f"the shared store does not answer ({failure.getErrorMessage()}): going on with what is borrowed"
            self.alert(Alert(self.moment().wall, "store", text))

    def _heard(self, news: Any) -> None:
        self.tidings.heard(news)
        self.flush()
