"""Sending a streamed body: framed, and held back while the upstream cannot take more."""

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IConsumer, IProducer, IPushProducer
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from agentgateway.wire.connection import Connection


@implementer(IConsumer, IPushProducer)
class Upload:
    """Between a body and the connection it goes out on: consumer of the one, producer of the other.

    `stalled` says that the upstream takes nothing at the moment. The head leaves with the first bytes of the body.
    """

    __slots__ = ("_body", "_chunked", "_connection", "_head", "stalled")

    def __init__(self, connection: "Connection", head: bytes, body: IBodyProducer) -> None:
        self._connection = connection
        self._head = head
        self._body: IBodyProducer | None = body
        self._chunked = body.length == UNKNOWN_LENGTH
        self.stalled = False

    def start(self) -> None:
        """Begin; tells the connection `body_sent` or `body_failed`."""
        assert self._body is not None
        self._connection.transport.registerProducer(self, True)
        done = self._body.startProducing(self)
        if self._head:
            self._put(b"")
        done.addCallbacks(self._finish, self._fail)

    def stop(self) -> None:
        """No more of it is wanted."""
        body, self._body = self._body, None
        if body is not None:
            self._connection.transport.unregisterProducer()
            body.stopProducing()

    def _finish(self, _: None) -> None:
        if self._body is not None:
            self._body = None
            self._connection.transport.unregisterProducer()
            if self._chunked:
                self._put(b"0\r\n\r\n")
            self._connection.body_sent()

    def _fail(self, failure: Failure) -> None:
        if self._body is not None:
            self._connection.body_failed(failure)

    def _put(self, data: bytes) -> None:
        head, self._head = self._head, b""
        self._connection.write(head + data if head else data)

    # the body's consumer

    def write(self, data: bytes) -> None:
        """Some of the body."""
        if data and self._body is not None:
            self._put(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Bodies are paused and resumed without being registered."""

    def unregisterProducer(self) -> None:
        """See above."""

    # the transport's producer

    def pauseProducing(self) -> None:
        """The socket is full."""
        self.stalled = True
        if self._body is not None:
            self._body.pauseProducing()

    def resumeProducing(self) -> None:
        """There is room again."""
        self.stalled = False
        if self._body is not None:
            self._body.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is lost: it hears of that by itself."""
