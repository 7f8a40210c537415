"""Many processes without sockets: the accounts of the real ones, over the scripts that run in Redis, in steps of time."""

import heapq
import random
from collections import Counter
from typing import Any

import attrs

from agentgateway.config.schema import Budget
from agentgateway.domain.account import Account
from agentgateway.domain.lease import Ask, Synced
from agentgateway.domain.link import Link
from agentgateway.domain.share import Share
from agentgateway.domain.windows import Calendar
from agentgateway.pipeline.onion import MOST_WAITS
from tests.stores.live.memory import MemoryLive, MemoryServer

STEP = 0.05
"""Seconds; a process asks once in each at most."""
BEAT = 20
"""Steps."""
MOST = 200
"""Agents in one question."""


@attrs.define
class Call:
    """One that costs `cost`, and no more than `worst`; it takes `seconds`."""

    agent: str
    cost: int
    worst: int
    seconds: float
    waits: int = 0


@attrs.define(eq=False)
class Node:
    """A process of the fleet: what `ops.cluster` does for it, as far as it is about money."""

    fleet: "Nodes"
    live: MemoryLive
    phase: int
    link: Link = attrs.Factory(Link)
    accounts: dict[str, Account] = attrs.Factory(dict)
    waiting: list[Call] = attrs.Factory(list)
    holding: set[str] = attrs.Factory(set)

    def begin(self, call: Call, now: float) -> None:
        """As the pipeline's last step does: borrow where that helps, else hold the money or refuse."""
        account = self.account(call.agent)
        assert account.share is not None
        amount = account.quote(now, call.worst)
        if call.waits < MOST_WAITS and account.share.borrow(now, call.worst, call.waits > 0):
            call.waits += 1
            self.waiting.append(call)
        elif account.fits(now, amount) is None:
            self.fleet.under_way(self, account, account.reserve(now, amount, str(next(self.fleet.ids))), call, now)
        else:
            self.fleet.refused[call.agent] += 1

    def account(self, agent: str) -> Account:
        """What this process knows of an agent."""
        account = self.accounts.get(agent)
        if account is None:
            account = self.accounts[agent] = Account.new(agent, self.fleet.budgets[agent], self.fleet.calendar)
            account.share = Share(account, self.link)
            account.set_caps(account.budget)
        return account

    def step(self, number: int, now: float) -> None:
        """Ask, if something is urgent or a second is over."""
        names = set(self.link.urgent)
        if number % BEAT == self.phase:
            names |= self.link.changed
            names |= {name for name in self.holding if self.accounts[name].share.idle(now)}  # type: ignore[union-attr]
        elif not names:
            return
        names = set(list(names)[:MOST])
        self.link.urgent -= names
        self.link.changed -= names
        asks = [self.accounts[name].share.ask(now, (0, 0, None), ()) for name in names]  # type: ignore[union-attr]
        self.fleet.asked(asks)
        self.live.sync(asks).addCallback(self._answered, asks, now)
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            self.begin(call, now)

    def _answered(self, synced: Synced, asks: list[Ask], now: float) -> None:
        self.link.reached(now)
        self.link.members, self.link.grace = synced.members, synced.grace
        for ask, grant in zip(asks, synced.grants, strict=True):
            account = self.accounts[ask.agent]
            assert account.share is not None
            account.share.take(now, ask, grant)
            if grant.turned:
                self.link.urgent.add(ask.agent)
            (self.holding.add if grant.ceiling > account.life.cost else self.holding.discard)(ask.agent)

    def stranded(self) -> int:
        """What is borrowed, and neither spent nor held by a call."""
        accounts = (self.accounts[name] for name in self.holding)
        return sum(
            max(0, one.share.ceiling - one.life.cost - one.reserved) for one in accounts if one.share is not None
        )


@attrs.define(eq=False)
class Nodes:
    """A fleet of `count` processes and these agents; `now` is its time."""

    count: int
    budgets: dict[str, Budget]
    now: float
    dice: random.Random
    calendar: Calendar = attrs.Factory(lambda: Calendar.of("UTC"))
    server: MemoryServer = attrs.field(init=False)
    nodes: list[Node] = attrs.field(init=False)
    ids: Any = attrs.Factory(lambda: iter(range(10**12)))
    refused: Counter[str] = attrs.Factory(Counter)
    spent: Counter[tuple[str, int]] = attrs.Factory(Counter)
    """By agent and hour."""
    syncs: int = 0
    rows: int = 0
    calls: int = 0
    steps: int = 0
    _ending: list[tuple[float, int, Any]] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.server = MemoryServer(lambda: self.now)
        lives = (MemoryLive(self.server, f"{number:016x}") for number in range(self.count))
        self.nodes = [Node(self, live, self.dice.randrange(BEAT)) for live in lives]

    def under_way(self, node: Node, account: Account, reservation: Any, call: Call, now: float) -> None:
        """A call went out; it ends by itself."""
        self.calls += 1
        entry = (now + call.seconds, self.calls, (node, account, reservation, call))
        heapq.heappush(self._ending, entry)

    def asked(self, asks: list[Ask]) -> None:
        """Count a question."""
        self.syncs += 1
        self.rows += len(asks)

    def step(self, calls: list[Call]) -> None:
        """One step of time, in which these calls come to any processes."""
        self.steps += 1
        self.now += STEP
        while self._ending and self._ending[0][0] <= self.now:
            node, account, reservation, call = heapq.heappop(self._ending)[2]
            account.settle(self.now, reservation, call.cost)
            account.count(self.now, error=False, input_tokens=1, output_tokens=1)
            self.spent[call.agent, int(self.now // 3600)] += call.cost
        for call in calls:
            self.dice.choice(self.nodes).begin(call, self.now)
        for node in self.nodes:
            node.step(self.steps, self.now)

    def kill(self, count: int) -> None:
        """So many processes are gone for good, and what was under way in them costs what it holds."""
        gone = set(self.nodes[-count:])
        self.nodes = self.nodes[:-count]
        for _, _, (node, _, reservation, call) in self._ending:
            if node in gone:
                self.spent[call.agent, int(self.now // 3600)] += reservation.amount
        self._ending = [entry for entry in self._ending if entry[2][0] not in gone]
        heapq.heapify(self._ending)

    def stranded(self) -> int:
        """What all processes together have borrowed for nothing."""
        return sum(node.stranded() for node in self.nodes)
