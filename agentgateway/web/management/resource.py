"""The management API as a twisted.web resource: which path and method is which endpoint, and the way of a request to it.

In this order: is there such a path (404), does it take this method (405), may this caller (401); then the endpoint.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from agentgateway.admin import AdminToken, Headers
from agentgateway.domain.text import printable
from agentgateway.interfaces import Siblings
from agentgateway.web.live import Live
from agentgateway.web.management.alone import AloneEndpoints
from agentgateway.web.management.controls import Controls, Order
from agentgateway.web.management.endpoints import Answer, Asked, Endpoints, Render
from agentgateway.web.management.feed import Feed
from agentgateway.web.management.guard import Caller, Guard, peer_of
from agentgateway.web.management.logs import Rest
from agentgateway.web.management.merged import MergedEndpoints
from agentgateway.web.management.problems import Problem

Endpoint = Callable[[Asked], Awaitable[Answer | None]]


@attrs.frozen
class Route:
    """A path, and the endpoint of each method; `is_open` to callers of every kind."""

    path: re.Pattern[bytes]
    methods: dict[bytes, Endpoint]
    is_open: bool = False


def routes(do: Endpoints) -> tuple[Route, ...]:
    """All there is; what is not here is proxied."""
    agent = rb"/api/agents/(?P<agent>[^/]+)"
    return (
        _route(rb"/health", GET=do.health, is_open=True),
        _route(rb"/metrics", GET=do.metrics),
        _route(rb"/api/status", GET=do.status),
        _route(rb"/api/logs", GET=do.logs),
        _route(rb"/api/openapi\.json", GET=do.openapi),
        _route(rb"/api/reload", POST=do.reload),
        _route(agent, GET=do.agent),
        _route(agent + rb"/pause", POST=do.pause),
        _route(agent + rb"/resume", POST=do.resume),
        _route(rb"/api/budget/(?P<agent>[^/]+)", GET=do.budget, PUT=do.set_budget),
    )


def more_routes(do: AloneEndpoints) -> tuple[Route, ...]:
    """What is between workers."""
    return _route(rb"/tail", GET=do.tail), _route(rb"/words", POST=do.words)


def _route(path: bytes, is_open: bool = False, **methods: Endpoint) -> Route:
    return Route(re.compile(path), {method.encode(): endpoint for method, endpoint in methods.items()}, is_open)


class Management(Resource):
    """Answers every path of the management API."""

    isLeaf = True
    _log = Logger()

    def __init__(self, live: Live, guard: Guard, routes: tuple[Route, ...]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live = live
        self._guard = guard
        self._routes = routes

    def render(self, request: Any) -> int:
        """Answer, now or later; a caller that leaves is worked for no longer."""
        work: Deferred[None] = Deferred.fromCoroutine(self._serve(request))
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addErrback(self._bug, request)
        return NOT_DONE_YET

    async def _serve(self, request: Any) -> None:
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        try:
            endpoint, asked = self._let_in(request)
            answer = await endpoint(asked)
        except Problem as problem:
            for name, value in problem.fields:
                request.setHeader(name, value)
            answer = Answer(problem.body, status=problem.status)
        if answer is not None:
            send(request, answer)

    def _let_in(self, request: Any) -> tuple[Endpoint, Asked]:
        """The endpoint of a request, and what it asks. Raises Problem."""
        path = request.uri.partition(b"?")[0]
        route, found = next(
            ((route, found) for route in self._routes if (found := route.path.fullmatch(path))), (None, None)
        )
        if route is None or found is None:
            raise Problem(404, "not_found", "no such path in the management API")
        caller, endpoint = self._admitted(request, route)
        agent = unquote_to_bytes(found.groupdict().get("agent", b"")).decode("utf-8", "replace")
        order = Order(str(caller), request.method.decode("latin-1"), printable(path.decode("latin-1"), 300))
        content_type = (request.requestHeaders.getRawHeaders(b"content-type") or [b""])[0]
        return endpoint, Asked(request, order, agent, request.args or {}, request.content.read(), content_type)

    def _admitted(self, request: Any, route: Route) -> tuple[Caller, Endpoint]:
        method = b"GET" if request.method == b"HEAD" else request.method
        endpoint = route.methods.get(method)
        if endpoint is None:
            allowed = sorted({*route.methods, *({b"HEAD"} if b"GET" in route.methods else ())})
            shown = b", ".join(allowed)
            text = f"this path takes {shown.decode()}"
            raise Problem(405, "method_not_allowed", text, fields=((b"Allow", shown),))
        peer, now = peer_of(request), self._live.moment()
        if route.is_open:
            return Caller("local", peer or ""), endpoint
        open_reads = self._live.config.gateway.loopback_reads
        return self._guard.admit(peer, _values(request), method != b"GET", open_reads, now), endpoint

    def _bug(self, failure: Failure, request: Any) -> None:
        """A mistake of ours is an answer all the same; the caller's leaving is none."""
        if failure.check(CancelledError):
            return
        self._log.failure("a management request failed", failure)
        if not request.startedWriting:
            send(request, Answer(Problem(500, "internal", "the gateway made a mistake: see its log").body, status=500))


def _values(request: Any) -> Headers:
    """The request's header fields by name: values stay bytes, which text names would not give."""
    fields = request.requestHeaders
    return lambda name: fields.getRawHeaders(name.encode("ascii"))


def send(request: Any, answer: Answer) -> None:
    """The whole answer, with its length; to HEAD without its body."""
    phrase = {422: b"Unprocessable Content"}.get(answer.status)  # Twisted has none for it
    request.setResponseCode(answer.status, phrase)
    request.setHeader(b"Content-Type", answer.content_type)
    request.setHeader(b"Content-Length", b"%d" % len(answer.body))
    if request.method != b"HEAD":
        request.write(answer.body)
    request.finish()


def management(
    live: Live,
    token: AdminToken,
    controls: Controls,
    feed: Feed,
    metrics: Render,
    rest: Rest,
    siblings: Siblings | None = None,
) -> Management:
    """The API over what the gateway's parts share; with `siblings` for all workers together."""
    parts = (live, controls, feed, metrics, rest)
    endpoints = Endpoints(*parts) if siblings is None else MergedEndpoints(*parts, siblings)
    return Management(live, Guard(token), routes(endpoints))


def alone(live: Live, token: AdminToken, controls: Controls, feed: Feed, metrics: Render, rest: Rest) -> Management:
    """The API of one worker for itself, for the others."""
    endpoints = AloneEndpoints(live, controls, feed, metrics, rest)
    return Management(live, Guard(token), routes(endpoints) + more_routes(endpoints))
