"""The caller's body, whichever kind of request it comes in: the wire's own, or a stock twisted.web one."""

from collections.abc import Callable
from typing import Any

from agentgateway.wire.outgoing import StreamedBody, WholeBody
from agentgateway.wire.request import Request


def on_gone(request: Any, tell: Callable[[], None]) -> None:
    """Call `tell` when the caller goes away before its answer is complete."""
    if isinstance(request, Request):
        request.gone = tell
    else:
        request.notifyFinish().addErrback(lambda _: tell())


def forget(request: Any) -> None:
    """The caller has gone: let go of those who hold the request, the call and its relay, or none of them goes."""
    if isinstance(request, Request):
        request.gone = request.producer = None


class Incoming:
    """`pending` is true while some of the body has not arrived."""

    __slots__ = ("_request", "_streams", "pending")

    def __init__(self, request: Any) -> None:
        self._request = request
        self._streams = isinstance(request, Request)
        self.pending = self._streams and not request.body.whole

    def whole(self) -> bytes | None:
        """The body, if all of it is here already."""
        if not self._streams:
            data: bytes = self._request.content.read()
            return data
        return None if self.pending else self._request.body.take()

    async def read(self) -> bytes:
        """Wait for all of it; raises BodyTooLarge, BodyTimeout, BadFraming or CallerGone."""
        await self._request.body.arrived()
        self.pending = False
        data: bytes = self._request.body.take()
        return data

    def onward(self, body: bytes | None) -> WholeBody | StreamedBody | None:
        """What goes to the provider: `body` where it has been read, else the stream; None where there is no body."""
        if body is None:
            return StreamedBody(self._request.body, self._request.length)
        if body or self._request.method in (b"POST", b"PUT", b"PATCH"):
            return WholeBody(body)
        return None
