"""The way to the providers: one treq client over one pooled agent for each, without what a proxy must not do."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse

from agentgateway.config.schema import Agent as AgentConfig
from agentgateway.config.schema import Provider
from agentgateway.domain.exchange import Exchange
from agentgateway.web.headers import credential, upstream_fields
from agentgateway.wire.headers import Field, RawHeaders

MakeAgent = Callable[[Provider], IAgent]


class PassThroughClient(HTTPClient):
    """treq's client as a proxy needs it: no cookies, redirects, decoding, time-outs or IDNA; the response as it came."""

    _agent: IAgent

    def request(  # type: ignore[override]
        self, method: bytes, url: bytes, *, headers: Headers | None = None, data: IBodyProducer | None = None, **_: Any
    ) -> "Deferred[IResponse]":
        """Send it; fires with the response when its head is here."""
        return self._agent.request(method, url, headers, data)


@attrs.frozen(slots=True)
class Upstream:
    """One provider, ready to be called."""

    provider: Provider
    agent: IAgent
    client: PassThroughClient
    origin: str
    host: Field
    base_path: str

    def url(self, uri: str) -> bytes:
        """Where `uri` is at this provider: the base URL's path goes in front, unless it is there already."""
        base = self.base_path
        if base and not (uri.startswith(base) and uri[len(base) : len(base) + 1] in ("/", "?", "")):
            uri = base + uri
        return (self.origin + uri).encode("latin-1")

    def send(self, exchange: Exchange, body: IBodyProducer | None) -> "Deferred[IResponse]":
        """Send the call; see `wire.agent.Agent.request` for how it fails."""
        head = self._head(exchange)
        return self.client.request(head.method, head.url, headers=head.headers, data=body)

    def _head(self, exchange: Exchange) -> "Onward":
        """What goes up in front of the body; made once for a head that comes again."""
        assert exchange.agent is not None
        derived, config = exchange.derived, exchange.agent.config
        if derived is None:
            return self._make_head(exchange, config)
        key = Onward, self.provider.name
        head: Onward | None = derived.get(key)
        if head is None or head.upstream is not self or head.agent is not config:
            head = derived[key] = self._make_head(exchange, config)
        return head

    def _make_head(self, exchange: Exchange, agent: AgentConfig) -> "Onward":
        name = self.provider.name
        # An agent's key belongs to its own provider, and a caller's own to the provider it meant to call.
        own = name == agent.provider if agent.provider else name in (exchange.provider_named, _usual(exchange))
        ours = credential(self.provider, agent.api_key if own else None)
        foreign = not own and exchange.provider_named != name
        fields = [self.host, *upstream_fields(exchange, ours, foreign)]
        method = exchange.method.encode("ascii")
        return Onward(self, agent, method, self.url(exchange.uri_upstream), RawHeaders(fields))


@attrs.frozen(slots=True, eq=False)
class Onward:
    """A head on its way to `upstream`, as `agent` is configured; nothing in it is changed any more."""

    upstream: Upstream
    agent: AgentConfig
    method: bytes
    url: bytes
    headers: RawHeaders


def _usual(exchange: Exchange) -> str:
    """The provider of an agent that names none."""
    return exchange.surface.dialect.name if exchange.surface is not None else ""


class Upstreams:
    """The upstreams of a configuration; `configure` keeps those whose provider did not change, connections and all."""

    def __init__(self, make_agent: MakeAgent) -> None:
        self._make_agent = make_agent
        self._upstreams: dict[str, Upstream] = {}
        self._retired: list[Upstream] = []

    def configure(self, providers: Mapping[str, Provider]) -> None:
        """Take over (new) providers; calls under way finish on the connections they have."""
        old, self._upstreams = self._upstreams, {}
        for name, provider in providers.items():
            kept = old.pop(name, None)
            if kept is not None and kept.provider != provider:
                self._retired.append(kept)
                kept = None
            self._upstreams[name] = kept or self._open(provider)
        self._retired += old.values()

    def _open(self, provider: Provider) -> Upstream:
        parts = urlsplit(provider.base_url)
        agent = self._make_agent(provider)
        origin = f"{parts.scheme}://{parts.netloc}"
        host = (b"Host", parts.netloc.encode("latin-1"))
        return Upstream(provider, agent, PassThroughClient(agent), origin, host, parts.path.rstrip("/"))

    def __getitem__(self, name: str) -> Upstream:
        return self._upstreams[name]

    def agents(self) -> list[Any]:
        """Every agent that may still have connections, also those of providers that are gone."""
        return [upstream.agent for upstream in [*self._upstreams.values(), *self._retired]]

    def counts(self) -> dict[str, tuple[int, int]]:
        """(open, idle) connections by provider."""
        return {name: _counts(upstream.agent) for name, upstream in self._upstreams.items()}

    def sweep(self) -> None:
        """Once a second: time-outs, idle connections, and agents that nobody uses any more."""
        for agent in self.agents():
            agent.sweep()
        self._retired = [upstream for upstream in self._retired if _counts(upstream.agent) != (0, 0)]

    def close(self) -> None:
        """Close all connections."""
        for agent in self.agents():
            agent.close()


def _counts(agent: Any) -> tuple[int, int]:
    counts: tuple[int, int] = agent.counts
    return counts
