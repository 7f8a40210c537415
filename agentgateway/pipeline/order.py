"""What the gateway does to a call, in order: read this list first."""

from agentgateway.config.schema import Config
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.pricing import PriceBook
from agentgateway.pipeline.choose import Choose
from agentgateway.pipeline.identify import Identify
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.record import Journal, Record
from agentgateway.pipeline.understand import Understand


def build(config: Config, fleet: Fleet, prices: PriceBook, journal: Journal) -> Onion:
    """The steps of one configuration, outermost first."""
    return Onion(
        [
            Record(journal),
            Identify(fleet),
            Understand(),
            Choose(config, prices),
        ]
    )
