"""Once a second a look at every agent: at its policies, its circuits, and at pauses whose time is over."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from agentgateway.domain.fleet import Fleet
from agentgateway.domain.moment import Moment
from agentgateway.ops.rounds import Rounds

SLICE: Final = 10
"""Agents looked at in one step."""


def settling(reactor: Any, fleet: Fleet, moment: Callable[[], Moment], flush: Callable[[], None]) -> Rounds:
    """Rounds over the fleet; `flush` writes down what a step has changed."""

    def work() -> Iterator[None]:
        agents = iter(list(fleet))
        while some := list(islice(agents, SLICE)):
            fleet.settle_down(moment(), [agent for agent in some if fleet.get(agent.id) is agent])
            flush()
            yield

    return Rounds(reactor, work)
