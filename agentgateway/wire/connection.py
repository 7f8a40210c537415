"""The client's side of HTTP/1.1: one connection to an upstream, one request at a time, parsed by llhttp.

A segment is parsed whole, then told of once: a head together with what came behind it, later the body chunks joined.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httptools
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from agentgateway.wire.body import WholeBody
from agentgateway.wire.eager import eager_writer
from agentgateway.wire.errors import HeadTimeout, SilenceTimeout, UpstreamBroken, WireError
from agentgateway.wire.framing import MAX_FIELDS
from agentgateway.wire.headers import Field
from agentgateway.wire.response import Response

if TYPE_CHECKING:
    from agentgateway.wire.pool import Pool

MAX_HEAD = 131_072
"""Bytes of a response head, above which it is not one."""


@implementer(IHandshakeListener)
class Connection(Protocol):
    """One connection; when a response is complete it goes back to its pool, if it can be used again."""

    transport: Any

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._parser: Any = None
        self._answer: Deferred[Response] | None = None
        self._response: Response | None = None
        self._head_only = False
        self._sent = True
        self._body: IBodyProducer | None = None
        self._touched = False
        self._reading = True
        self._lost = False
        self._heard = False
        self._until_close = False
        self._clear_head()
        self.secured: Deferred[Connection] | None = None
        """Fires when the TLS handshake is done; None where there is none to wait for."""
        self.used = 0
        self.since = 0.0
        """When this connection began what it is doing: idling, waiting for a head, waiting for the next chunk."""

    def connectionMade(self) -> None:
        """Ready for the first request."""
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)
            self.transport.setTcpKeepAlive(True)
        self.write = eager_writer(self.transport)

    def handshakeCompleted(self) -> None:
        """TLS has verified the upstream."""
        secured, self.secured = self.secured, None
        if secured is not None:
            secured.callback(self)

    def _clear_head(self) -> None:
        self._fields: list[Field] = []
        self._phrase = b""
        self._head_bytes = 0
        self._chunks: list[bytes] = []

    # sending

    def send(self, head: bytes, body: IBodyProducer | None, head_only: bool, now: float) -> "Deferred[Response]":
        """Send one request; fires with the response when its head is here. Cancelling closes the connection."""
        self.used += 1
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
            self._stream(head, body)
        return answer

    def _stream(self, head: bytes, body: IBodyProducer) -> None:
        self.write(head)
        self._sent = False
        self._body = body
        consumer: Any = Chunked(self) if body.length == UNKNOWN_LENGTH else Measured(self, body.length)
        self.transport.registerProducer(body, True)
        body.startProducing(consumer).addCallbacks(self._streamed, self._not_streamed, callbackArgs=(consumer,))

    def _streamed(self, _: None, consumer: "Measured | Chunked") -> None:
        if self._body is not None:
            self._body = None
            self._sent = True
            self.transport.unregisterProducer()
            consumer.finish()

    def _not_streamed(self, failure: Failure) -> None:
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
        except httptools.HttpParserUpgrade:
            self._broken("switched protocols unasked")
        except httptools.HttpParserError as error:
            self._broken(f"no valid HTTP: {error}")
        else:
            if self._response is None:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD:
                    self._broken("sent too large a head")
            self._tell()

    def _broken(self, detail: str) -> None:
        self._tell()
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
        if self._response is response:
            self.set_reading(response)

    def on_message_begin(self) -> None:
        if self._response is not None:  # a response that nobody asked for, behind the one that was
            self._until_close = True

    def on_status(self, phrase: bytes) -> None:
        self._phrase += phrase

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is None:  # and not a trailer
            self._fields.append((name, value))
            if len(self._fields) > MAX_FIELDS:
                raise WireError("too many header fields")

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        if self._response is not None:
            raise WireError("a second response")
        if code < 200:  # 100 Continue, 103 Early Hints: information about an answer still to come
            if code < 100 or code == 101:
                raise WireError("a status code that was not asked for")
            self._fields, self._phrase = [], b""
            return
        bodiless = self._head_only or code in (204, 304)
        length, chunked = framing(self._fields)
        self._until_close = not (bodiless or chunked) and length is None
        self._response = Response(self, code, self._phrase, self._fields, 0 if bodiless else length)
        if bodiless:
            self._response.complete = True

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        if self._response is not None:
            self._response.complete = True

    # the end of a response, or of the connection

    def _finish(self) -> None:
        """The response is complete: back to the pool, if nothing is left over."""
        self._response = None
        reusable = self._sent and not self._until_close and self._parser.should_keep_alive()
        if self._head_only:
            self._parser = None  # llhttp does not know of HEAD and would wait for a body
        self._clear_head()
        self._stop_body()
        if not self._reading:
            self._reading = True
            self.transport.resumeProducing()
        if reusable:
            self._pool.release(self)
        else:
            self._discard(self.transport.loseConnection)

    def _fail(self, failure: Failure) -> None:
        """Break off and tell whoever waits."""
        self._discard(self.transport.abortConnection)
        self._end(failure)

    def abort(self) -> None:
        """Close now; whoever caused it knows."""
        self._response = None
        answer, self._answer = self._answer, None
        self._discard(self.transport.abortConnection)
        del answer

    def _discard(self, close: Any) -> None:
        self._lost = True
        self._stop_body()
        self._pool.retire(self)
        close()

    def _stop_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            self.transport.unregisterProducer()
            body.stopProducing()

    def _end(self, failure: Failure | None) -> None:
        response, self._response = self._response, None
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.errback(failure or Failure(UpstreamBroken("the upstream closed the connection", False)))
        elif response is not None:
            response.complete = failure is None
            response.end(failure)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The upstream closed: the end of a body without a length, or a break."""
        self._lost = True
        self._stop_body()
        self._pool.forget(self)
        secured, self.secured = self.secured, None
        if secured is not None:
            secured.errback(reason)
        if self._response is not None and self._until_close and reason.check(type(connectionDone.value)):
            self._end(None)
        elif self._answer is not None or self._response is not None:
            detail = "the upstream closed the connection before the end of its response"
            self._end(Failure(UpstreamBroken(detail, self._response is not None, not self._touched)))
        self._parser = None  # the parser holds this connection: break the cycle

    def set_reading(self, response: Response) -> None:
        """Read from the socket unless the response's receiver has paused, or is not there yet."""
        wanted = not (response is self._response and response.waiting)
        if wanted != self._reading and not self._lost:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def sweep(self, now: float) -> None:
        """Look at the time-outs; called once a second. A receiver that has paused makes nobody wait."""
        limits = self._pool.limits
        if self._answer is not None:
            if self._body is not None:  # still on its way: the head cannot be late yet
                self.since = now
            elif now - self.since >= limits.response_timeout:
                self._fail(Failure(HeadTimeout(f"no response head within {limits.response_timeout:g} s")))
        elif self._response is not None:
            if self._heard or not self._reading:
                self._heard = False
                self.since = now
            elif now - self.since >= limits.silence_timeout:
                self._fail(Failure(SilenceTimeout(f"nothing for {limits.silence_timeout:g} s within a response")))


def framing(fields: Sequence[Field]) -> tuple[int | None, bool]:
    """(declared length, chunked) of a response; contradictions llhttp has refused. Raises WireError on a coding."""
    length: int | None = None
    for name, value in fields:
        size = len(name)
        if size == 14 and name.lower() == b"content-length":
            length = int(value)
        elif size == 17 and name.lower() == b"transfer-encoding":
            if value.strip().lower() != b"chunked":
                raise WireError("a transfer coding that was not asked for")
            return None, True
    return length, False


class Chunked:
    """Consumer that frames a streamed body in chunks."""

    def __init__(self, connection: Connection) -> None:
        self._write = connection.write

    def write(self, data: bytes) -> None:
        """One chunk."""
        if data:
            self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def finish(self) -> None:
        """The last chunk."""
        self._write(b"0\r\n\r\n")


class Measured:
    """Consumer for a streamed body of a declared length."""

    def __init__(self, connection: Connection, length: int) -> None:
        self._write = connection.write

    def write(self, data: bytes) -> None:
        """Some of it."""
        self._write(data)

    def finish(self) -> None:
        """The length has said it."""
