"""A response on the client side: an `IResponse` whose body is delivered a segment at a time, with back-pressure."""

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from agentgateway.wire.headers import RawHeaders

if TYPE_CHECKING:
    from agentgateway.wire.connection import Connection

_DONE = Failure(ResponseDone())


@implementer(IResponse, IPushProducer)
class Response:
    """What the upstream answered; also the transport of the protocol its body is delivered to.

    `complete` is true as soon as the last byte has been parsed, maybe before the receiver got it: who sees it
    in `dataReceived` knows that these bytes are the last. `connectionLost` follows, with `ResponseDone` or the error.
    """

    version = (b"HTTP", 1, 1)
    previousResponse = None
    request = None

    def __init__(
        self, connection: "Connection", code: int, phrase: bytes, headers: RawHeaders, length: int | None
    ) -> None:
        self._connection = connection
        self.code = code
        self.phrase = phrase
        self.headers = headers
        self.length: Any = UNKNOWN_LENGTH if length is None else length
        self.complete = False
        self._failure: Failure | None = None
        self._early: list[bytes] = []
        self._receiver: Any = None
        self._paused = False
        self.waiting = True
        """Whether more of the body should not be read from the socket now: nobody takes it."""

    def take(self) -> bytes:
        """The whole body of a response that is `complete` as soon as its head is there; instead of `deliverBody`."""
        early, self._early = self._early, []
        return early[0] if len(early) == 1 else b"".join(early)

    def deliverBody(self, protocol: IProtocol) -> None:
        """Give the body to `protocol`: what is here at once, the rest as it comes."""
        self._receiver = protocol
        self._receiver.makeConnection(self)
        self.waiting = self._receiver is None or self._paused
        self.deliver([])
        self._connection.set_reading(self)

    def setPreviousResponse(self, response: Any) -> None:
        """There is none: redirects are not followed."""

    # the connection's side

    def deliver(self, chunks: list[bytes]) -> None:
        """Body of one segment; kept while there is no receiver, or while it has paused."""
        if chunks:
            self._early += chunks
        if self.waiting:
            return
        if self._early:
            data = self._early[0] if len(self._early) == 1 else b"".join(self._early)
            self._early = []
            self._receiver.dataReceived(data)
            if self._receiver is None or self._paused:  # by what it did just now
                return
        if self.complete or self._failure is not None:
            receiver, self._receiver = self._receiver, None
            self.waiting = True
            receiver.connectionLost(self._failure or _DONE)

    def end(self, failure: Failure | None) -> None:
        """No more will come; `failure` says that it should have."""
        self._failure = failure
        self.deliver([])

    # the receiver's side: ITransport as far as a receiver needs it

    def pauseProducing(self) -> None:
        """Stop reading from the upstream."""
        self._paused = self.waiting = True
        self._connection.set_reading(self)

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self.waiting = self._receiver is None
        self.deliver([])
        self._connection.set_reading(self)

    def stopProducing(self) -> None:
        """The receiver wants no more: break the upstream off."""
        self.abort()

    def abort(self) -> None:
        """Close the upstream's connection now, unless the response is complete; the receiver hears nothing more."""
        self._receiver = None
        self.waiting = True
        self._early = []
        if not self.complete:
            self._connection.abort()
