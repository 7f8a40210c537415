"""The gateway's port: who answers what, and the answers to what is no request."""

import re

from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Site

from agentgateway.domain.audit import record_of
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.record import Journal
from agentgateway.providers.known import dialect_of
from agentgateway.web.answers import refusal_answer, refusal_of
from agentgateway.web.live import Live
from agentgateway.web.management.problems import Problem, too_large
from agentgateway.web.proxy import ProxyResource
from agentgateway.wire.errors import BadFraming, BodyTooLarge, CallerGone, WireError
from agentgateway.wire.headers import Field
from agentgateway.wire.request import Request

MANAGEMENT = re.compile(
    rb"/(health|metrics|api/(status|logs|reload|openapi\.json|agents/[^/]+(/(pause|resume))?|budget/[^/]+))"
)
_PROBE = re.compile(rb"(/agents/[^/?]+)?/?(\?.*)?")
_WELCOME = b"agentgateway is running. Point an SDK's base URL here; see GET /health and /api/status.\n"
_TOO_MANY = Refusal("overloaded", "too many connections: try again shortly", 1)
_OVERLOADED = Refusal("overloaded", "the gateway has more to do than it can: try again shortly", 1)
MAX_MANAGEMENT_BODY = 65_536


class GatewaySite:
    """Gives each request to the proxy or, on the exact paths of the management API, to its resource tree."""

    def __init__(self, live: Live, journal: Journal, management: Resource) -> None:
        self._live = live
        self._journal = journal
        self._proxy = ProxyResource(live)
        self.management = management
        self._tree = Site(management)
        self._tree.displayTracebacks = False

    def accept(self, request: Request) -> None:
        """Answer `request`."""
        uri = request.uri
        if uri.startswith((b"/api/", b"/health", b"/metrics")) and MANAGEMENT.fullmatch(uri.partition(b"?")[0]):
            self._manage(request)
        elif request.method in (b"GET", b"HEAD") and _PROBE.fullmatch(uri):
            # Claude Code probes its base URL before the first call; no provider needs to hear of it.
            _say(request, 200, [(b"Content-Type", b"text/plain")], _WELCOME)
        elif self._live.draining and not self._live.last_calls:
            self._refuse(request, Refusal("draining", "the gateway is stopping: try again shortly", 1))
        elif request.channel.spare:
            self._refuse(request, _TOO_MANY)
        elif self._live.overloaded:
            self._refuse(request, _OVERLOADED)
        else:
            self._proxy.render(request)

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        fields, body = self._turned_away(refusal, request.uri)
        _say(request, refusal.status, fields, body)

    def _manage(self, request: Request) -> None:
        """A request to the management API, once its body is here; that is not waited for where it is too long."""
        body = request.body
        if (request.length or 0) > MAX_MANAGEMENT_BODY or body.received > MAX_MANAGEMENT_BODY:
            _tell(request, too_large(MAX_MANAGEMENT_BODY))
        elif body.whole:
            request.process_by(self._tree)
        else:
            body.narrow(MAX_MANAGEMENT_BODY)
            body.arrived().addCallbacks(lambda _: self._manage(request), _body_failed, errbackArgs=(request,))

    # what is no request

    def fault(self, fault: BadFraming, uri: bytes) -> tuple[list[Field], bytes]:
        """A request that could not be parsed is refused, in the dialect of its path, and recorded."""
        return self._turned_away(refusal_of(fault, ""), uri)

    def overloaded(self) -> tuple[list[Field], bytes]:
        """One connection too many."""
        return self._turned_away(_TOO_MANY, b"")

    def _turned_away(self, refusal: Refusal, uri: bytes) -> tuple[list[Field], bytes]:
        now = self._live.moment()
        exchange = Exchange(self._live.next_id(), now, "", uri[:2048].decode("latin-1"), ())
        exchange.refuse(refusal)
        self._journal.append(record_of(exchange, now))
        return refusal_answer(refusal, dialect_of(exchange.path or exchange.uri, ""), exchange.id)


def _body_failed(failure: Failure, request: Request) -> None:
    """The body did not come, or not within the limits."""
    failure.trap(WireError)
    if failure.check(BodyTooLarge):
        _tell(request, too_large(MAX_MANAGEMENT_BODY))
    elif not failure.check(CallerGone):
        _tell(request, Problem(400, "bad_request", "the request's body did not arrive as it should"))


def _tell(request: Request, problem: Problem) -> None:
    _say(request, problem.status, [(b"Content-Type", b"application/json")], problem.body)


def _say(request: Request, status: int, fields: list[Field], body: bytes) -> None:
    request.head(status, None, [*fields, (b"Content-Length", b"%d" % len(body))], True)
    request.finish(body)
