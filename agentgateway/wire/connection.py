"""The client's side of HTTP/1.1: one connection to an upstream, one request at a time.

A segment is parsed whole, then told of once: a head together with what came behind it, later the body chunks joined.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httptools
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from agentgateway.wire.eager import eager_writer, forget_reader, read_into, tune
from agentgateway.wire.errors import HeadTimeout, SilenceTimeout, UpstreamBroken
from agentgateway.wire.outgoing import WholeBody
from agentgateway.wire.response import Response
from agentgateway.wire.response_reader import ResponseReader
from agentgateway.wire.upload import Upload

if TYPE_CHECKING:
    from agentgateway.wire.pool import Pool

MAX_BARREN = 131_072
"""Bytes that may come without any body among them: a head, above which it is not one, or trailers."""


@implementer(IHandshakeListener)
class Connection(ResponseReader):
    """One connection; when a response is complete it goes back to its pool, if it can be used again."""

    transport: Any

    def __init__(self, pool: "Pool") -> None:
        super().__init__()
        self._pool = pool
        self._answer: Deferred[Response] | None = None
        self._upload: Upload | None = None
        self._touched = False
        self._heard = False
        self._reading = True
        self._lost = False
        self._gone = False
        self.secured: Deferred[Connection] | None = None
        """Fires when the TLS handshake is done; None where there is none to wait for."""
        self.since = 0.0
        """When this connection began what it is doing: idling, waiting for a head, waiting for the next chunk."""

    def connectionMade(self) -> None:
        """Ready for the first request."""
        tune(self.transport)
        read_into(self.transport, self.dataReceived)
        self.write = eager_writer(self.transport, self._pool.outbox)

    def handshakeCompleted(self) -> None:
        """TLS has verified the upstream."""
        secured, self.secured = self.secured, None
        if secured is not None:
            secured.callback(self)

    # sending

    def send(self, head: bytes, body: IBodyProducer | None, head_only: bool, now: float) -> "Deferred[Response]":
        """Send one request; fires with the response when its head is here. Cancelling closes the connection."""
        self.since = now
        self._touched = False
        self._head_only = head_only
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        answer: Deferred[Response] = Deferred(lambda _: self.abort())
        self._answer = answer
        if body is None:
            self.write(head)
        elif isinstance(body, WholeBody):
            body.sent = True
            self.write(head + body.data)
        else:
            self._upload = upload = Upload(self, head, body)
            upload.start()
        return answer

    def body_sent(self) -> None:
        """The streamed body has gone out, to its end."""
        self._upload = None
        self.since = self._pool.now()

    def body_failed(self, failure: Failure) -> None:
        """The streamed body has broken off: the request cannot be completed."""
        self._fail(failure)

    # receiving

    def dataReceived(self, data: bytes) -> None:
        """Parse a segment, then tell what it brought."""
        if self._lost:
            return
        if self._answer is None and self._response is None:
            self.abort()  # nothing was asked
            return
        self._touched = self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._broken(f"no valid HTTP: {error}")
        else:
            if self._chunks:
                self._barren = 0
            else:
                self._barren += len(data)
            if self._barren > MAX_BARREN and (self._response is None or not self._response.complete):
                self._broken("sent too much that is no body")
            else:
                self._tell()

    def _broken(self, detail: str) -> None:
        """What has come before is told; a response that was complete is, but nothing can follow on this connection."""
        self._until_close = True
        self._tell()
        if not self._lost:
            self._fail(Failure(UpstreamBroken(f"the upstream {detail}", self._response is not None)))

    def _tell(self) -> None:
        response = self._response
        if response is None:
            return
        chunks, self._chunks = self._chunks, []
        if response.complete:
            self._finish()
        answer, self._answer = self._answer, None
        if answer is not None:
            response.deliver(chunks)
            answer.callback(response)
        elif chunks or response.complete:
            response.deliver(chunks)
        if response.waiting == self._reading and self._response is response:
            self.set_reading(response)

    # the end of a response, or of the connection

    def _finish(self) -> None:
        """The response is complete: back to the pool, if nothing is left over."""
        self._response = None
        reusable = self._upload is None and self._kept_alive and not self._until_close
        if self._head_only:
            self._parser = None  # llhttp does not know of HEAD and would wait for a body
        self._clear_head()
        if not self._reading:
            self._reading = True
            self.transport.resumeProducing()
        if reusable:
            self._pool.release(self)
        else:
            self._discard(self.transport.loseConnection if self._upload is None else self.transport.abortConnection)

    def _fail(self, failure: Failure) -> None:
        """Break off and tell whoever waits."""
        self._discard(self.transport.abortConnection)
        self._end(failure)

    def abort(self) -> None:
        """Close now; whoever caused it knows."""
        self._response = self._answer = self.secured = None
        self._discard(self.transport.abortConnection)

    def close(self) -> None:
        """Close now; whoever waits for a response is told."""
        self._fail(Failure(UpstreamBroken("the connection was closed on this side", self._response is not None)))

    def _discard(self, close: Callable[[], None]) -> None:
        self._lost = True
        self._stop_upload()
        self._pool.retire(self)
        if not self._gone:
            close()

    def _stop_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.stop()

    def _end(self, failure: Failure | None) -> None:
        response, self._response = self._response, None
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.errback(failure)
        elif response is not None:
            response.complete = failure is None
            response.end(failure)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The upstream closed: the end of a body without a length, or a break."""
        self._lost = self._gone = True
        forget_reader(self.transport)
        self._stop_upload()
        self._pool.forget(self)
        self._parser = None  # the parser holds this connection: break the cycle
        secured, self.secured = self.secured, None
        if secured is not None:
            secured.errback(reason)
        elif self._response is not None and self._until_close and reason.check(ConnectionDone):
            self._end(None)
        elif self._answer is not None or self._response is not None:
            detail = "the upstream closed the connection before the end of its response"
            self._end(Failure(UpstreamBroken(detail, self._response is not None, not self._touched)))

    # time and back-pressure

    def set_reading(self, response: Response) -> None:
        """Read from the socket unless the response's receiver has paused, or is not there yet."""
        if response is not self._response or self._lost or response.waiting != self._reading:
            return
        self._reading = not response.waiting
        if self._reading:
            self.transport.resumeProducing()
        else:
            self.transport.pauseProducing()

    def sweep(self, now: float) -> None:
        """Look at the time-outs; called once a second. A receiver that has paused makes nobody wait."""
        limits = self._pool.limits
        if self._answer is not None:
            if self._upload is not None and not self._upload.stalled:  # on its way: the head cannot be late yet
                self.since = now
            elif now - self.since >= limits.response_timeout:
                self._fail(Failure(HeadTimeout(f"no response head within {limits.response_timeout:g} s")))
        elif self._response is not None:
            if self._heard or not self._reading:
                self._heard = False
                self.since = now
            elif now - self.since >= limits.silence_timeout:
                self._fail(Failure(SilenceTimeout(f"nothing for {limits.silence_timeout:g} s within a response")))
        elif self._lost and not self._gone:
            self.transport.abortConnection()  # it was given the time until now to close in peace
