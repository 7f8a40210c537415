"""Who is calling: by gateway key, by the header `x-agent-id`, or by the path prefix `/agents/<id>`, in that order.

A gateway key counts wherever SDKs put an API key, for there it would travel on to a provider.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from urllib.parse import unquote

import msgspec

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.fleet import AGENT_ID, ANONYMOUS, AgentState, Fleet
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.onion import Answer, Quiet

_SESSION = (b"x-claude-code-session-id", b"x-session-id", b"session-id", b"session_id")

CREDENTIALS = (b"x-api-key", b"authorization", b"x-goog-api-key", b"api-key")
"""Fields in which SDKs send an API key, in the order in which they are looked at."""
_QUERY = b"?key"
"""Stands for the query's `key`, where Google's SDKs may put one."""

_IN_QUERY = (
    "a gateway key stands in the URL, which goes to the provider and into many a log: send it in x-api-key, x-goog-api-key or"
    " as Authorization: Bearer"
)
_FOR_US = (
    "this path is not of the management API, so the call is a provider's, and the admin token was shown with it: no provider"
    " gets that; see /api/openapi.json for the paths, without a slash at their end"
)


class Identified(msgspec.Struct, frozen=True):
    """Who sends a head, as long as the agents' keys are `keys` (that very object)."""

    keys: Mapping[bytes, AgentState]
    agent: AgentState
    uri_upstream: str
    provider_named: str | None
    session: str | None
    gateway_keys: frozenset[bytes]


class Identify(Quiet):
    """Finds the agent; an agent that has a key is only ever found by that key."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Refuses unknown agents, missing and wrong keys, and ambiguous identities."""
        derived = exchange.derived
        if derived is None:
            return self._identify(exchange, now)
        known: Identified | None = derived.get(Identified)
        if known is None or known.keys is not self._fleet.by_key:
            answer = self._identify(exchange, now)
            if answer is None:
                derived[Identified] = self._known(exchange)
            return answer
        exchange.agent = known.agent
        exchange.agent_id = known.agent.config.id
        exchange.uri_upstream = known.uri_upstream
        exchange.provider_named = known.provider_named
        exchange.session = known.session
        exchange.gateway_keys = known.gateway_keys
        return None

    def _known(self, exchange: Exchange) -> Identified:
        assert exchange.agent is not None
        path = exchange.uri_upstream, exchange.provider_named
        return Identified(self._fleet.by_key, exchange.agent, *path, exchange.session, exchange.gateway_keys)

    def _identify(self, exchange: Exchange, now: Moment) -> Answer:
        named = self._split_path(exchange)
        try:
            claimed = self._claimed(exchange)
        except ValueError as ambiguous:
            return Refusal("bad_request", str(ambiguous))
        for name in _SESSION:
            if name in exchange.head:
                exchange.session = _text(exchange.head[name])
        owner, ours = None, set()
        for place, key in _presented(exchange):
            digest = sha256(key).digest()
            if digest == self._fleet.admin:
                return Refusal("bad_request", _FOR_US, status=404)
            found = self._fleet.by_key.get(digest)
            if found is not None and place == _QUERY:
                return Refusal("bad_key", _IN_QUERY)
            if found is not None:
                ours.add(place)
                owner = owner or found
        exchange.gateway_keys = frozenset(ours)
        if owner is not None:
            return self._found(exchange, owner)
        agent_id = claimed or named or ANONYMOUS
        agent = self._fleet.find(agent_id, now)
        if agent is None:
            return self._unknown(exchange, claimed or named)
        exchange.agent_id = agent.id
        if agent.config.key_sha256 is not None:
            return Refusal(
                "bad_key",
                f"agent {agent.id!r} must present its gateway key in x-api-key or as Authorization: Bearer",
            )
        return self._found(exchange, agent)

    @staticmethod
    def _found(exchange: Exchange, agent: AgentState) -> None:
        exchange.agent = agent
        exchange.agent_id = agent.id

    @staticmethod
    def _unknown(exchange: Exchange, claimed: str | None) -> Refusal:
        if claimed is None:
            return Refusal(
                "unknown_agent", "no agent named: send x-agent-id, or use a base URL with /agents/<agent-id>"
            )
        if not AGENT_ID.fullmatch(claimed):
            return Refusal("unknown_agent", "an agent id is 1 to 128 of A-Z a-z 0-9 . _ -")
        exchange.agent_id = claimed
        return Refusal("unknown_agent", f"no agent {claimed!r}: add it to `agents` in the gateway's configuration")

    @staticmethod
    def _split_path(exchange: Exchange) -> str | None:
        """Take the gateway's own prefixes off the path; gives the agent id in it, if any."""
        uri, agent_id = exchange.uri, None
        if uri.startswith("/agents/"):
            agent_id, slash, rest = uri[8:].partition("/")
            agent_id, question, query = agent_id.partition("?")
            uri = slash + rest if slash and not question else "/" + question + query + slash + rest
        if uri.startswith("/providers/"):
            name, _, rest = uri[11:].partition("/")
            exchange.provider_named = name
            uri = "/" + rest
        exchange.uri_upstream = uri
        return agent_id

    @staticmethod
    def _claimed(exchange: Exchange) -> str | None:
        """The id in the header; raises ValueError where it is ambiguous."""
        head = exchange.head
        if b"connection" in head and any(b"x-agent-id" in value.lower() for value in _all(exchange, b"connection")):
            raise ValueError("x-agent-id is named by Connection: send it as an end-to-end header")
        claimed = head.get(b"x-agent-id")
        if claimed is None:
            return None
        if len(head) != len(exchange.fields) and len(_all(exchange, b"x-agent-id")) > 1:
            raise ValueError("two x-agent-id headers: send one")
        return claimed.strip().decode("latin-1")


def _presented(exchange: Exchange) -> Iterator[tuple[bytes, bytes]]:
    """What may be a gateway key, and where it stands."""
    for place in CREDENTIALS:
        if place in exchange.head:
            for value in _all(exchange, place):
                scheme, _, token = value.strip().partition(b" ")
                if place != b"authorization":
                    yield place, value.strip()
                elif scheme.lower() == b"bearer":
                    yield place, token.strip()
    if "key=" in exchange.uri:
        for part in exchange.uri.partition("?")[2].split("&"):
            if part.startswith("key="):
                yield _QUERY, unquote(part[4:]).encode()


def _all(exchange: Exchange, wanted: bytes) -> list[bytes]:
    """The values of a field, which may be repeated."""
    return [value for name, value in exchange.fields if name.lower() == wanted]


def _text(value: bytes) -> str:
    return value[:200].decode("utf-8", "replace")
