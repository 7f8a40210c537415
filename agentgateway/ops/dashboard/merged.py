"""The dashboard's pages where several workers serve calls: of all of them, whichever is asked; each acts where it must."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import attrs
import msgspec

from agentgateway.domain.sums import row_of
from agentgateway.interfaces import Siblings
from agentgateway.ops.dashboard.actions import CannotDo
from agentgateway.ops.dashboard.detail import MAX_STREAMS
from agentgateway.ops.dashboard.resources import MAX_RECORDS, Pages

T = TypeVar("T")


@attrs.frozen
class MergedPages:
    """What `Pages` are of one worker, of all."""

    _own: Pages
    _siblings: Siblings

    async def history(self, request: Any) -> Any:
        """The chart rows: the store has everybody's."""
        return await self._own.history(request)

    async def agent(self, request: Any) -> Any:
        """An agent's page, as all who know it see it."""
        own, problem = _tried(lambda: self._own.agent(request))
        name = quote(request.postpath[-1].decode("utf-8", "replace"), "")
        found = [*([] if own is None else [own]), *await self._asked(b"/data/agents/" + name.encode())]
        if problem is not None and (problem.status != 404 or not found):
            raise problem
        return row_of([msgspec.to_builtins(view) for view in found])

    async def calls(self, request: Any) -> Any:
        """The latest records, of all of them."""
        own = [msgspec.to_builtins(record) for record in self._own.calls(request)]
        every = [*own, *(record for page in await self._asked(b"/data" + _rest(request)) for record in page)]
        return sorted(every, key=lambda record: str(record["ts"]))[-MAX_RECORDS:]

    async def streams(self, request: Any) -> Any:
        """The open streams, oldest first."""
        every = [*self._own.streams(request), *(one for page in await self._asked(b"/data/streams") for one in page)]
        return sorted(every, key=lambda stream: str(stream["began"]))[:MAX_STREAMS]

    async def act(self, request: Any) -> Any:
        """Change something; what only another worker knows of, there."""
        body = request.content.read()
        request.content.seek(0)
        own, problem = _tried(lambda: self._own.act(request))
        if problem is None:
            return own
        if problem.status == 404:
            for number in self._siblings.others:
                reply = await self._siblings.ask_one(number, b"POST", request.uri, body)
                if reply is not None and reply.status == 200:
                    return msgspec.json.decode(reply.body)
        raise problem

    async def _asked(self, target: bytes) -> list[Any]:
        replies = await self._siblings.ask(b"GET", target)
        return [msgspec.json.decode(reply.body) for reply in replies if reply.status == 200]


def _tried(work: Callable[[], T]) -> tuple[T | None, CannotDo | None]:
    """What it gives, or why it does not."""
    try:
        return work(), None
    except CannotDo as problem:
        return None, problem


def _rest(request: Any) -> bytes:
    """Of the path what is below `data`, with the query."""
    return bytes(request.uri).removeprefix(b"/data")
