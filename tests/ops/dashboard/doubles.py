"""A gateway's state without a gateway, and viewers that only remember."""

import os
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from agentgateway.config.load import parse
from agentgateway.domain.alert import Alert
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.fleet import AgentState, Fleet
from agentgateway.domain.history import History, Point
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.windows import Calendar
from agentgateway.ops.dashboard.feed import Feed
from agentgateway.ops.dashboard.message import Message
from tests.domain.test_series import NOON, record

CONFIG = """
agents:
  coder: {provider: openai, budget: {max_cost_per_hour: 5}, rate_limit: 60/min, tags: [x]}
  writer: {provider: anthropic}
policies:
  - {name: dear, condition: cost_this_hour > 1, action: alert}
"""


class State:
    """What `Shared` asks for; `clock` moves it."""

    def __init__(self, text: str = CONFIG) -> None:
        self.clock = Clock()
        self.config = parse(text, "test.yaml", os.environ)
        self.alerts: deque[Alert] = deque(maxlen=500)
        self.fleet = Fleet(self.config, Ledger(Calendar.of("UTC")), self.moment(), alert=self.alerts.append)
        self.started = self.moment()
        self.tail: deque[AuditRecord] = deque(maxlen=1000)
        self.draining = False
        self.listeners: list[Callable[[AuditRecord], object]] = []
        self.streams: dict[str, Any] = {}
        self.notes: list[AuditRecord] = []

    def share(self, link: Link) -> None:
        """Be one of several processes."""
        alert = self.alerts.append
        self.fleet = Fleet(self.config, Ledger(Calendar.of("UTC")), self.moment(), alert=alert, link=link)

    def moment(self) -> Moment:
        """Noon, and what the clock has moved since."""
        return Moment(self.clock.seconds(), NOON + self.clock.seconds())

    def next_id(self) -> str:
        """Always the same."""
        return "agw_next"

    def agent(self, name: str) -> AgentState:
        """An agent that is there."""
        agent = self.fleet.get(name)
        assert agent is not None
        return agent

    def call(self, agent: str, cost: float = 0.25, **changes: Any) -> AuditRecord:
        """A call that has just ended: in the books, and told to listeners."""
        told: dict[str, Any] = {"id": f"agw_{len(self.tail)}", "agent": agent, "provider": "openai", "cost_usd": cost}
        done = record(**told | changes)
        account, now = self.agent(agent).account, self.moment().wall
        account.settle(now, account.hold(f"{now}{len(self.tail)}", 0), round(cost * 1e9))
        account.count(now, error=False, input_tokens=done.input_tokens, output_tokens=done.output_tokens)
        self.agent(agent).last_call = now
        self.tail.append(done)
        for listener in self.listeners:
            listener(done)
        return done


class Onlooker:
    """A viewer; it reads when `reads`."""

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self.deflates = False
        self.reads = True
        self.seen: list[Message] = []
        self.ended: list[int] = []

    def show(self, message: Message) -> bool:
        """Remember it."""
        if self.reads:
            self.seen.append(message)
        return self.reads

    def end(self, code: int, why: bytes) -> None:
        """Remember it."""
        self.ended.append(code)


def feed_of(state: State) -> tuple[Feed, list[Point]]:
    """A feed that listens to `state`, and where it stores."""
    stored: list[Point] = []
    feed = Feed(state, History(), stored.extend)
    state.listeners.append(feed.pending.append)
    return feed, stored
