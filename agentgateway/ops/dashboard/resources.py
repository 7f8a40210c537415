"""The dashboard's port: the page, what it asks for, what it does, and the WebSocket."""

from itertools import islice
from typing import Any, Final

import attrs
import msgspec
from twisted.web.resource import Resource

from agentgateway.admin import WrongToken
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.history import ALL, History, provider_key
from agentgateway.domain.series import MINUTE, TEN_MINUTES, Track
from agentgateway.ops.dashboard.access import Access, from_here
from agentgateway.ops.dashboard.actions import Actions, CannotDo
from agentgateway.ops.dashboard.answers import protect
from agentgateway.ops.dashboard.charts import Chart, columns
from agentgateway.ops.dashboard.detail import agent_detail, streams_view
from agentgateway.ops.dashboard.shared import Shared

MAX_RECORDS: Final = 1000
"""Records of one answer."""


class Gate(Resource):
    """What stands before the WebSocket: says no in plain HTTP, and lets through who may view."""

    isLeaf = True

    def __init__(self, access: Access, socket: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._access, self._socket = access, socket

    def render(self, request: Any) -> Any:
        """Upgrade, or 401, 403, 426."""
        status = self._refusal(request)
        if status is None:
            return self._socket.render(request)
        protect(request)
        request.setResponseCode(status)
        if status == 426:
            request.setHeader(b"Upgrade", b"websocket")
        return b""

    def _refusal(self, request: Any) -> int | None:
        upgrade = request.getHeader(b"upgrade") or b""
        if request.method != b"GET" or upgrade.lower() != b"websocket":
            return 426
        if not from_here(request):
            return 403
        return None if self._access.may_view(request) else 401


@attrs.frozen
class Pages:
    """The answers, by path; see `tree`."""

    _live: Shared
    _history: History
    _access: Access
    _actions: Actions
    _chart: Chart | None = None

    def session(self, request: Any) -> dict[str, bool]:
        """What this caller may do."""
        view, act = self._access.rights(request)
        return {"view": view, "act": act}

    def log_in(self, request: Any) -> dict[str, bool]:
        """Trade the token for a cookie."""
        self._require_here(request)
        try:
            token = msgspec.json.decode(request.content.read(), type=dict[str, str]).get("token", "")
        except (ValueError, RecursionError):
            raise CannotDo(400, "expected the token, as JSON")
        try:
            self._access.log_in(request, token.strip())
        except WrongToken as wrong:
            raise CannotDo(429 if wrong.wait else 401, str(wrong))
        return {"view": True, "act": True}

    def log_out(self, request: Any) -> dict[str, bool]:
        """Take the cookie back."""
        self._require_here(request)
        self._access.log_out(request)
        return {}

    def agent(self, request: Any) -> dict[str, Any]:
        """An agent's page."""
        self._require_view(request)
        (name,) = self._rest(request, 1)
        return agent_detail(self._live, self._find(name))

    async def history(self, request: Any) -> dict[str, Any]:
        """The chart rows of ?agent=, ?provider= or all, of the last hour or, with ?span=day, day; costs in nano-dollars."""
        self._require_view(request)
        agent, provider = _one(request, b"agent"), _one(request, b"provider")
        key = agent if agent is not None else ALL if provider is None else provider_key(provider)
        series, now = self._history.get(key), self._live.moment().wall
        day = _one(request, b"span") == "day"
        track = Track(TEN_MINUTES if day else MINUTE) if series is None else series.tens if day else series.minutes
        return {"now": now, "span": track.span, "columns": await columns(self._chart, key, track, now)}

    def calls(self, request: Any) -> list[AuditRecord]:
        """The latest records of ?agent=, newest last."""
        self._require_view(request)
        agent = _one(request, b"agent")
        found = (record for record in reversed(self._live.tail) if agent is None or record.agent == agent)
        return list(islice(found, MAX_RECORDS))[::-1]

    def streams(self, request: Any) -> list[dict[str, Any]]:
        """The open streams."""
        self._require_view(request)
        return streams_view(self._live)

    def act(self, request: Any) -> dict[str, Any]:
        """Change something: /act/agents/<id>/<verb> or /act/streams/<id>/end."""
        self._require_here(request)
        if not self._access.may_act(request):
            raise CannotDo(401, "acting wants the admin token")
        kind, name, verb = self._rest(request, 3)
        by = f"dashboard at {getattr(request.getClientAddress(), 'host', 'this machine')}"
        if kind == "streams" and verb == "end":
            self._actions.end(name, by)
            return {"ended": name}
        if kind != "agents" or verb not in ("pause", "resume", "budget", "breaker"):
            raise CannotDo(404, "there is no such action")
        agent = self._find(name)
        self._actions.on_agent(agent, verb, request.content.read(), by)
        return agent_detail(self._live, agent)

    def _find(self, name: str) -> AgentState:
        agent = self._live.fleet.get(name)
        if agent is None:
            raise CannotDo(404, "there is no such agent")
        return agent

    def _require_view(self, request: Any) -> None:
        if not self._access.may_view(request):
            raise CannotDo(401, "viewing from here wants the admin token")

    def _require_here(self, request: Any) -> None:
        if not from_here(request):
            raise CannotDo(403, "another site's page may not do this")
        if (request.getHeader(b"content-type") or b"").partition(b";")[0].strip() != b"application/json":
            raise CannotDo(415, "expected JSON")

    def _rest(self, request: Any, count: int) -> list[str]:
        rest = [part.decode("utf-8", "replace") for part in request.postpath]
        if len(rest) != count:
            raise CannotDo(404, "there is no such page")
        return rest


def _one(request: Any, name: bytes) -> str | None:
    values = request.args.get(name)
    return values[-1].decode("utf-8", "replace") if values else None
