"""What the gateway does to a call, in order: read this list first."""

from collections.abc import Callable

from agentgateway.config.schema import Config
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.pricing import PriceBook
from agentgateway.pipeline.choose import Choose
from agentgateway.pipeline.identify import Identify
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.record import Journal, Record
from agentgateway.pipeline.reserve import Reserve
from agentgateway.pipeline.screen import Screen
from agentgateway.pipeline.throttle import Throttle
from agentgateway.pipeline.understand import Understand


def build(config: Config, fleet: Fleet, prices: PriceBook, journal: Journal, flush: Callable[[], None]) -> Onion:
    """The steps of one configuration, outermost first."""
    steps = [
        Record(journal),
        Identify(fleet),
        Understand(config),
        judging := Screen(fleet),
        Throttle(),
        Choose(config, prices),
        Reserve(fleet, flush),
    ]
    return Onion(steps, steps.index(judging))
