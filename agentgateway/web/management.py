"""The management API's resource tree."""

import json
from typing import Any

from twisted.web.resource import Resource

from agentgateway import __version__
from agentgateway.web.live import Live


class Health(Resource):
    """`GET /health`: open to everybody; 503 while draining, so that a load balancer looks elsewhere."""

    isLeaf = True

    def __init__(self, live: Live) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live = live

    def render_GET(self, request: Any) -> bytes:
        """The contract's health object."""
        live = self._live
        if live.draining:
            request.setResponseCode(503)
        request.setHeader(b"Content-Type", b"application/json")
        state = {
            "status": "draining" if live.draining else "ok",
            "version": __version__,
            "uptime_s": round(live.moment().monotonic - live.started.monotonic, 3),
            "agents": len(live.fleet),
            "in_flight": sum(agent.in_flight for agent in live.fleet),
        }
        return json.dumps(state).encode()


def management(live: Live) -> Resource:
    """The tree of everything that is not proxied."""
    root = Resource()
    root.putChild(b"health", Health(live))
    return root
