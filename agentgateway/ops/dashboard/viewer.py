"""One viewer's WebSocket: it is shown messages and has next to nothing to say.

Nothing is queued for a viewer that does not keep up: its messages are skipped, then it is dropped. What it may send is
small and seldom; more of it ends the connection with the code that says why.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

from agentgateway.ops.dashboard.feed import Audience
from agentgateway.ops.dashboard.message import Message

MAX_VIEWERS: Final = 100
MAX_SAID: Final = 4096
"""Bytes of a message from a viewer."""
BURST: Final = 20
"""Messages and pings from a viewer within `WINDOW` seconds."""
WINDOW: Final = 10.0
STALLED: Final = 15.0
"""Seconds after which a viewer that does not read is dropped."""

POLICY_VIOLATION: Final = 1008
TRY_AGAIN_LATER: Final = 1013
GOING_AWAY: Final = 1001
_TEXT, _COMPRESSED = 1, 4


class Audible(Protocol):
    """What tells viewers; see `feed.Feed`."""

    @property
    def viewers(self) -> dict[Audience, bool]:
        """Whether each is up to date."""

    def join(self, viewer: Audience) -> None:
        """One more."""

    def leave(self, viewer: Audience) -> None:
        """One less."""


class Valve:
    """Hears from a viewer's transport whether what was written gets through."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self.since: float | None = None
        """When it was closed; None while it is open."""

    def pauseProducing(self) -> None:
        """The transport holds more than it wants to."""
        self.since = self._seconds()

    def resumeProducing(self) -> None:
        """It is empty again."""
        self.since = None

    def stopProducing(self) -> None:
        """The connection is gone."""


class Viewer(WebSocketServerProtocol):
    """See the module; made by `ViewerFactory` alone."""

    factory: "ViewerFactory"
    full = False
    deflates = False

    def onConnect(self, request: Any) -> None:
        """The handshake is right: remember what was asked for."""
        self.full = request.params.get("full", [""])[-1] == "1"

    def onOpen(self) -> None:
        """Begin to listen, where there is room."""
        self._said, self._window = 0, 0.0
        self._valve = Valve(self.factory.reactor.seconds)
        transport: Any = self.transport
        transport.unregisterProducer()  # the HTTP channel's
        transport.registerProducer(self._valve, True)
        self.deflates = bool(self.websocket_extensions_in_use)
        if len(self.factory.feed.viewers) >= MAX_VIEWERS:
            self.end(TRY_AGAIN_LATER, b"too many viewers")
        else:
            self.factory.feed.join(self)
            self.factory.joined()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Nothing a viewer says means anything; saying too much ends it."""
        self._listen()

    def onPing(self, payload: bytes) -> None:
        """Answered, within reason."""
        if self._listen():
            super().onPing(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Gone."""
        self.factory.feed.leave(self)

    def _listen(self) -> bool:
        now = self.factory.reactor.seconds()
        if now - self._window >= WINDOW:
            self._said, self._window = 0, now
        self._said += 1
        if self._said == BURST + 1:
            self.end(POLICY_VIOLATION, b"a viewer has nothing to say")
        elif self._said > 10 * BURST:
            self.dropConnection(abort=True)
        return self._said <= BURST

    def end(self, code: int, why: bytes) -> None:
        """Hang up, with a code of RFC 6455."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, why)

    def show(self, message: Message) -> bool:
        """Send `message`, or skip it; see `Audience.show`."""
        since = self._valve.since
        if since is not None:
            if self.factory.reactor.seconds() - since >= STALLED:
                self.dropConnection(abort=True)
            return False
        if self.deflates and message.deflated is not None:
            self.sendFrame(_TEXT, message.deflated, rsv=_COMPRESSED)
        else:
            self.sendFrame(_TEXT, message.payload)
        return True


class ViewerFactory(WebSocketServerFactory):
    """Makes viewers; `joined` is called when one has come and waits to be shown everything."""

    protocol = Viewer  # type: ignore[assignment]
    noisy = False

    def __init__(self, feed: Audible, joined: Callable[[], None], reactor: Any) -> None:
        super().__init__(reactor=reactor)  # type: ignore[no-untyped-call]
        self.feed = feed
        self.joined = joined
        self.setProtocolOptions(  # type: ignore[no-untyped-call]
            webStatus=False,
            failByDrop=False,  # say why before hanging up
            maxFramePayloadSize=MAX_SAID,
            maxMessagePayloadSize=MAX_SAID,
            openHandshakeTimeout=5,
            closeHandshakeTimeout=2,
            autoPingInterval=20,
            autoPingTimeout=10,
            tcpNoDelay=True,
            perMessageCompressionAccept=_accept,
        )

    def hang_up(self) -> None:
        """Tell every viewer to come back later."""
        for viewer in list(self.feed.viewers):
            viewer.end(GOING_AWAY, b"the gateway stops")


def _accept(offers: list[Any]) -> PerMessageDeflateOfferAccept | None:
    """Compression, for those who take what was compressed once for all: with a window of the usual size."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer) and offer.request_max_window_bits == 0:
            return PerMessageDeflateOfferAccept(offer, no_context_takeover=True)
    return None
