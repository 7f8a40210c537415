"""The reverse proxy as a twisted.web Resource: every request becomes a Call."""

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from agentgateway.web.call import Call
from agentgateway.web.live import Live
from agentgateway.web.stock import StockRequest
from agentgateway.wire.request import Request


class ProxyResource(Resource):
    """Answers every path and method."""

    isLeaf = True

    def __init__(self, live: Live) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live = live

    def render(self, request: Any) -> int:
        """Begin the call; it answers when it can."""
        Call(self._live, request if isinstance(request, Request) else StockRequest(request)).start()
        return NOT_DONE_YET
