"""What each path of the management API does: a request that has been let in, to its answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from agentgateway import __version__
from agentgateway.domain.audit import iso
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.operator import NewCaps, Why
from agentgateway.domain.text import printable
from agentgateway.domain.view import agent_view, budget_view
from agentgateway.web.live import Live
from agentgateway.web.management import logs
from agentgateway.web.management.bodies import parse
from agentgateway.web.management.controls import Controls, Order
from agentgateway.web.management.feed import Feed, Follower
from agentgateway.web.management.formats import CONTENT_TYPES
from agentgateway.web.management.openapi import DOCUMENT
from agentgateway.web.management.problems import Problem
from agentgateway.web.management.questions import Question, question

SLICE = 200
"""Agents shown before others have their turn: a few milliseconds."""

Render = Callable[[], Awaitable[bytes]]


@attrs.frozen
class Asked:
    """A request that has been let in."""

    request: Any
    order: Order
    agent: str
    """The id in the path; empty where there is none."""
    args: Mapping[bytes, Sequence[bytes]]
    body: bytes
    content_type: bytes


@attrs.frozen
class Answer:
    """A whole answer."""

    body: bytes
    content_type: bytes = b"application/json"
    status: int = 200


class Endpoints:
    """One method an endpoint; all raise Problem for what they do not do."""

    agent_view = staticmethod(agent_view)
    budget_view = staticmethod(budget_view)

    def __init__(self, live: Live, controls: Controls, feed: Feed, metrics: Render, rest: logs.Rest) -> None:
        self._live = live
        self._controls = controls
        self._feed = feed
        self._metrics = metrics
        self._rest = rest

    async def health(self, asked: Asked) -> Answer:
        """Open to everybody; 503 while draining, so that a load balancer looks elsewhere."""
        state = self.state()
        if not self._live.fleet.shares:
            del state["store"]  # there is none that could be away
        return json_answer(state, 503 if self._live.draining else 200)

    async def status(self, asked: Asked) -> Answer:
        """The gateway and all its agents."""
        now, views, live = self._live.moment(), list[dict[str, Any]](), self._live
        for index, agent in enumerate(list(live.fleet)):
            if index and index % SLICE == 0:
                await self._rest()
            views.append(self.agent_view(agent, now))
        gateway = self.state() | {
            "started": iso(live.started.wall),
            "config": live.config.path,
            "listen": list(live.config.gateway.listen),
            "timezone": live.config.gateway.timezone,
            "workers": 1,
            "cost_this_hour": total(views, "cost_this_hour"),
            "cost_today": total(views, "cost_today"),
            "total_cost": total(views, "total_cost"),
            "paused": sum(view["status"] == "paused" for view in views),
        }
        return json_answer({"gateway": gateway, "agents": views})

    def state(self) -> dict[str, Any]:
        """The gateway, in short."""
        live = self._live
        return {
            "status": "draining" if live.draining else "ok",
            "store": "degraded" if live.fleet.cut_off else "ok",
            "version": __version__,
            "uptime_s": round(live.moment().monotonic - live.started.monotonic, 3),
            "agents": len(live.fleet),
            "in_flight": sum(agent.in_flight for agent in live.fleet),
        }

    async def agent(self, asked: Asked) -> Answer:
        """One agent."""
        return self._shown(self._find(asked))

    async def pause(self, asked: Asked) -> Answer:
        """Pause it."""
        agent, why = self._find(asked), parse(asked.body, asked.content_type, Why)
        self._controls.pause(asked.order, agent, why.text("by an operator"))
        return self._shown(agent)

    async def resume(self, asked: Asked) -> Answer:
        """Resume it."""
        agent, why = self._find(asked), parse(asked.body, asked.content_type, Why)
        self._controls.resume(asked.order, agent, why.text("by an operator"))
        return self._shown(agent)

    async def budget(self, asked: Asked) -> Answer:
        """Its budget."""
        return json_answer(self.budget_view(self._find(asked), self._live.moment()))

    async def set_budget(self, asked: Asked) -> Answer:
        """Other caps."""
        agent, caps = self._find(asked), parse(asked.body, asked.content_type, NewCaps)
        self._controls.set_caps(asked.order, agent, caps)
        return json_answer(self.budget_view(agent, self._live.moment()))

    async def reload(self, asked: Asked) -> Answer:
        """Re-read the configuration file."""
        return json_answer(self._controls.reload(asked.order))

    async def metrics(self, asked: Asked) -> Answer:
        """Prometheus text."""
        return Answer(await self._metrics(), b"text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, asked: Asked) -> Answer:
        """The description of this API."""
        return json_answer(DOCUMENT)

    async def logs(self, asked: Asked) -> Answer | None:
        """A page of the audit log; None where the records that come later follow it, by themselves."""
        wanted = question(asked.args)
        if wanted.follow and asked.request.method != b"HEAD":
            await self._follow(asked, wanted)
            return None
        lines = await self._page(wanted)
        return Answer(await logs.written(lines, wanted.format, self._rest), CONTENT_TYPES[wanted.format])

    async def _page(self, wanted: Question) -> list[bytes]:
        """The records asked for, oldest first."""
        return await logs.records(self._live, wanted.query, self._rest)

    async def _follow(self, asked: Asked, wanted: Question) -> None:
        follower = self._feed.follow(asked.request, logs.matcher(wanted.query), wanted.format)
        await self._begin(asked, wanted, follower)

    async def _begin(self, asked: Asked, wanted: Question, follower: Follower) -> None:
        """The page that a stream begins with."""
        try:
            lines = await self._page(wanted)
        except Problem:
            self._feed.followers.discard(follower)
            raise
        asked.request.setHeader(b"Content-Type", CONTENT_TYPES[wanted.format])
        known = {msgspec.json.decode(line, type=logs.Key).id for line in lines}
        follower.begin(known, await logs.written(lines, wanted.format, self._rest))

    def _shown(self, agent: AgentState) -> Answer:
        return json_answer(self.agent_view(agent, self._live.moment()))

    def _find(self, asked: Asked) -> AgentState:
        agent = self._live.fleet.get(asked.agent)
        if agent is None:
            raise Problem(404, "unknown_agent", f'no agent "{printable(asked.agent)}"')
        return agent


def json_answer(value: object, status: int = 200) -> Answer:
    """`value` as JSON."""
    return Answer(msgspec.json.encode(value), status=status)


def total(views: list[dict[str, Any]], name: str) -> float:
    """A sum of money, exact again after the sum of doubles: to the nano-dollar."""
    return round(sum((float(view[name]) for view in views), 0.0), 9)
