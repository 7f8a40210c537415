"""What a worker tells its siblings: the messages of its own feed, a line each, for as long as a sibling listens."""

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from agentgateway.ops.dashboard.access import Access
from agentgateway.ops.dashboard.feed import Feed
from agentgateway.ops.dashboard.message import Message


class Relay(Resource):
    """Answers GET with a stream of messages; only who has the admin token is let in."""

    isLeaf = True

    def __init__(self, access: Access, feed: Feed) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._access, self._feed = access, feed

    def render_GET(self, request: Any) -> Any:
        """Begin, or 401."""
        if not self._access.may_act(request):
            request.setResponseCode(401)
            return b""
        listener = Listener(request)
        self._feed.join(listener)
        request.notifyFinish().addBoth(lambda _: self._feed.leave(listener))
        request.write(b"\n")
        return NOT_DONE_YET


@implementer(IPushProducer)
class Listener:
    """A sibling, as one more viewer: messages are skipped while it does not read, and then told as a whole."""

    full = False
    deflates = False

    def __init__(self, request: Any) -> None:
        self._request = request
        self._open = True
        request.registerProducer(self, True)

    def show(self, message: Message) -> bool:
        """Send it, unless what came before has not gone out yet."""
        if self._open:
            self._request.write(message.payload + b"\n")
        return self._open

    def end(self, code: int, why: bytes) -> None:
        """The worker stops: that is all."""
        self._request.unregisterProducer()
        self._request.finish()

    def pauseProducing(self) -> None:
        """The sibling does not read."""
        self._open = False

    def resumeProducing(self) -> None:
        """It reads again."""
        self._open = True

    def stopProducing(self) -> None:
        """It is gone."""
        self._open = False
