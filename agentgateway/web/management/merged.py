"""The management API of one worker among several: it answers for all of them, whichever of them is asked.

The others are asked on sockets of their own, where each answers for itself alone with the `AloneEndpoints`. Pauses and
caps are passed on by nobody here: whatever one of them is told, the shared state tells all, or else it does (`ops.aside`).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from agentgateway.domain import sums
from agentgateway.domain.audit import iso
from agentgateway.domain.untold import agent_part, budget_part
from agentgateway.interfaces import Siblings
from agentgateway.web.live import Live
from agentgateway.web.management import exposition, logs
from agentgateway.web.management.controls import Controls
from agentgateway.web.management.endpoints import Answer, Asked, Endpoints, Render, json_answer, total
from agentgateway.web.management.feed import Feed
from agentgateway.web.management.polled import Polled
from agentgateway.web.management.questions import Question

HASTE: Final = 0.25
"""Seconds that others have to say how they stand: who asks, a balancer, will not wait long, and they may hang."""

Work = Callable[[Asked], Awaitable[Answer]]
Merge = Callable[[Sequence[Any]], dict[str, Any]]


class MergedEndpoints(Endpoints):
    """One method an endpoint, for all workers together."""

    agent_view = staticmethod(agent_part)
    budget_view = staticmethod(budget_part)

    def __init__(
        self, live: Live, controls: Controls, feed: Feed, metrics: Render, rest: logs.Rest, siblings: Siblings
    ) -> None:
        super().__init__(live, controls, feed, metrics, rest)
        self._siblings = siblings
        self._states = Polled(lambda: self._asked("/health", HASTE), lambda: live.moment().monotonic)

    async def _asked(self, path: str, patience: float = 1.0) -> list[Any]:
        """What the others say at `path`, decoded; those that say it within `patience` seconds."""
        replies = await self._siblings.ask(b"GET", path.encode(), patience)
        return [msgspec.json.decode(reply.body) for reply in replies if reply.status in (200, 503)]

    async def health(self, asked: Asked) -> Answer:
        """Draining when all of them are."""
        states = [self.state(), *await self._states.get()]
        told = sums.gateway_of(states, max(state["agents"] for state in states))
        return json_answer(told, 503 if told["status"] == "draining" else 200)

    async def status(self, asked: Asked) -> Answer:
        """The gateway and all its agents."""
        own = msgspec.json.decode((await super().status(asked)).body)
        every = [own, *await self._asked("/api/status")]
        agents = sums.agents_of([one["agents"] for one in every])
        gateway = sums.gateway_of([one["gateway"] for one in every], len(agents)) | {
            "started": min(one["gateway"]["started"] for one in every),
            "workers": len(every),
            "cost_this_hour": total(agents, "cost_this_hour"),
            "cost_today": total(agents, "cost_today"),
            "total_cost": total(agents, "total_cost"),
            "paused": sum(agent["status"] == "paused" for agent in agents),
        }
        return json_answer({"gateway": gateway, "agents": agents})

    # one agent

    async def agent(self, asked: Asked) -> Answer:
        """One agent."""
        return await self._agent(asked, sums.agent_of)

    async def budget(self, asked: Asked) -> Answer:
        """Its budget."""
        return await self._budget(asked, sums.budget_of)

    async def pause(self, asked: Asked) -> Answer:
        """Pause it."""
        return await self._where_known(asked, super().pause) or await self._agent(asked, sums.agent_after)

    async def resume(self, asked: Asked) -> Answer:
        """Resume it."""
        return await self._where_known(asked, super().resume) or await self._agent(asked, sums.agent_after)

    async def set_budget(self, asked: Asked) -> Answer:
        """Other caps."""
        return await self._where_known(asked, super().set_budget) or await self._budget(asked, sums.budget_after)

    async def _agent(self, asked: Asked, merge: Merge) -> Answer:
        return await self._of_all(asked, super().agent, f"/api/agents/{quote(asked.agent, '')}", merge)

    async def _budget(self, asked: Asked, merge: Merge) -> Answer:
        return await self._of_all(asked, super().budget, f"/api/budget/{quote(asked.agent, '')}", merge)

    async def _of_all(self, asked: Asked, of_own: Work, path: str, merge: Merge) -> Answer:
        known = self._live.fleet.get(asked.agent) is not None
        replies = await self._siblings.ask(b"GET", path.encode())
        found = [msgspec.json.decode(reply.body) for reply in replies if reply.status == 200]
        if known or not found:
            found.insert(0, msgspec.json.decode((await of_own(asked)).body))
        return json_answer(merge(found))

    async def _where_known(self, asked: Asked, change: Work) -> Answer | None:
        """Make a change here; or where an agent that only another worker has met is known, and give its answer."""
        if self._live.fleet.get(asked.agent) is None:
            method, target = asked.request.method, asked.request.uri
            for number in self._siblings.others:
                reply = await self._siblings.ask_one(number, method, target, asked.body)
                if reply is not None and reply.status != 404:
                    return Answer(reply.body, status=reply.status)
        await change(asked)
        return None

    # all else

    async def reload(self, asked: Asked) -> Answer:
        """Re-read the file, here first: where that fails nothing has changed anywhere."""
        answer = await super().reload(asked)
        for number in self._siblings.others:
            await self._siblings.ask_one(number, b"POST", b"/api/reload")
        return answer

    async def metrics(self, asked: Asked) -> Answer:
        """Prometheus text."""
        own = await super().metrics(asked)
        others = [(reply.number, reply.body) for reply in await self._siblings.ask(b"GET", b"/metrics")]
        text = await exposition.merged([(self._siblings.own, own.body), *others], self._rest)
        return Answer(text, own.content_type)

    async def _page(self, wanted: Question) -> list[bytes]:
        """What the store has, and what is in memory, here and there."""
        own = await super()._page(wanted)
        target = f"/tail?{_filters(wanted)}&limit={wanted.query.limit}&format=jsonl"
        replies = await self._siblings.ask(b"GET", target.encode())
        pages = [reply.body.splitlines() for reply in replies if reply.status == 200]
        return logs.joined((own, *pages), wanted.query.count)

    async def _follow(self, asked: Asked, wanted: Question) -> None:
        target = f"/api/logs?{_filters(wanted)}&follow=true&format=jsonl".encode()
        follower = self._feed.follow(asked.request, logs.matcher(wanted.query), wanted.format)

        def take(number: int, line: bytes | None) -> None:
            if line:
                self._feed.tell(follower, line)

        stop = self._siblings.follow(target, take)
        asked.request.notifyFinish().addBoth(lambda _: stop())
        await self._begin(asked, wanted, follower)


def _filters(wanted: Question) -> str:
    """What a question leaves out, as its parameters."""
    query = wanted.query
    given = {
        "agent": query.agent,
        "status": query.status,
        "outcome": query.outcome,
        "since": None if query.since is None else iso(query.since),
        "until": None if query.until is None else iso(query.until),
    }
    return urlencode({name: value for name, value in given.items() if value is not None})
