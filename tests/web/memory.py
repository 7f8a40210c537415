"""The proxy as a resource between two agents in memory, on a clock: no socket, no waiting."""

from collections import deque
from typing import Any

from treq.testing import RequestTraversalAgent, StubTreq
from twisted.internet.task import Clock
from twisted.web.resource import IResource

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook
from agentgateway.pipeline import order
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.stores.memory import MemoryStore
from agentgateway.web.live import Live
from agentgateway.web.proxy import ProxyResource
from agentgateway.web.upstream import Upstreams
from tests.pipeline.calls import config_of, fleet_of

CONFIG = """
agents:
  "*": {}
  researcher: {provider: anthropic, model: claude-sonnet-4-5}
"""


class Pages(deque[AuditRecord]):
    """A journal in memory."""


def live_over(make_agent: Any, clock: Clock, text: str = CONFIG) -> tuple[Live, Pages]:
    """What calls share, over any agents and any clock; and the records they leave."""
    config = config_of(text)
    fleet, pages = fleet_of(config), Pages()
    prices = PriceBook(config.prices, config.unpriced_models)

    def moment() -> Moment:
        return Moment(clock.seconds(), 1_790_000_000.0 + clock.seconds())

    upstreams = Upstreams(make_agent)
    upstreams.configure(config.providers)
    onion = order.build(config, fleet, prices, pages, lambda: None)
    live = Live(
        config, fleet, onion, Reckoner(prices), upstreams, MemoryStore(), moment, moment(), pages, deque(), lambda: {}
    )
    return live, pages


class Between:
    """`caller` is a treq that calls the proxy, which calls `provider`, a resource."""

    def __init__(self, provider: IResource, text: str = CONFIG) -> None:
        self.clock = Clock()
        self.upstream = RequestTraversalAgent(provider)
        self.live, self.pages = live_over(lambda _: self.upstream, self.clock, text)
        self.caller = StubTreq(ProxyResource(self.live))

    def flush(self) -> None:
        """Let everything that was said arrive."""
        for _ in range(4):
            self.caller.flush()
            self.upstream.flush()
