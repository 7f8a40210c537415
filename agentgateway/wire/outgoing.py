"""The two kinds of bodies that go to an upstream: one that is all there, and one that is passed on as it arrives."""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from agentgateway.wire.body import IncomingBody


@implementer(IBodyProducer)
class WholeBody:
    """A body that is all there; it can be sent again, on another connection or to another upstream."""

    __slots__ = ("data", "length", "sent")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.length = len(data)
        self.sent = False
        """Whether it has been handed to a connection: an upstream may have begun to work."""

    def let_go(self) -> None:
        """It will not be sent again."""
        self.data = b""

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        """Write it at once."""
        self.sent = True
        consumer.write(self.data)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def stopProducing(self) -> None:
        """Nothing goes on."""

    def pauseProducing(self) -> None:
        """It has all been written."""

    def resumeProducing(self) -> None:
        """It has all been written."""


@implementer(IBodyProducer, IPushProducer)
class StreamedBody:
    """An incoming body passed on as it arrives, once; `length` is the declared one, or UNKNOWN_LENGTH (chunked)."""

    def __init__(self, incoming: IncomingBody, length: int | None) -> None:
        self._incoming = incoming
        self.length = UNKNOWN_LENGTH if length is None else length
        self.sent = False

    def let_go(self) -> None:
        """Nothing of it is kept."""

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        """Pass on until the body ends; fails as `IncomingBody.arrived` does."""
        self.sent = True
        return self._incoming.stream_to(consumer)

    def stopProducing(self) -> None:
        """The upstream wants no more of it."""
        self._incoming.abandon()

    def pauseProducing(self) -> None:
        """The upstream cannot take more now."""
        self._incoming.pause(True)

    def resumeProducing(self) -> None:
        """The upstream can take more."""
        self._incoming.pause(False)
