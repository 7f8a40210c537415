"""A script for tests that give the provider's bytes themselves."""

from collections.abc import Callable

import attrs

from agentgateway.demo.exchange import End, Reply, Request, Step


@attrs.frozen
class Scripted:
    """`StandIn(reactor, Scripted(...))` writes what `write` gives for a request, head and all: (bytes, seconds before
    them) in order, and then does with the connection what `end` says.
    """

    write: Callable[[Request], list[tuple[bytes, float]]]
    end: End = End.KEEP

    def __call__(self, request: Request) -> Reply:
        """The reply to one request."""
        return Reply(tuple(Step(data, delay) for data, delay in self.write(request)), self.end)
