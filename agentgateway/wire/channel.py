"""The server's side of HTTP/1.1: one connection, parsed by llhttp, its requests answered in the order they came.

Each segment that arrives is parsed whole; then the oldest request is given to the server, with whatever of its body is
there: mostly all of it. One request is active at a time, pipelined ones wait. Deadlines are kept as numbers that
`Server.sweep` looks at once a second: no timer per call.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, cast

import httptools
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.server import Site

from agentgateway.wire.body import IncomingBody
from agentgateway.wire.eager import eager_writer
from agentgateway.wire.errors import BadFraming, BodyTimeout, BodyTooLarge, CallerGone
from agentgateway.wire.framing import MAX_FIELD_BYTES, MAX_FIELDS, check
from agentgateway.wire.headers import Field
from agentgateway.wire.request import Request

if TYPE_CHECKING:
    from agentgateway.wire.server import Server

NEVER = float("inf")
MAX_PIPELINED = 32
LINGER = 2.0
"""Seconds that a caller may go on sending behind its last answer, so that it can read that answer."""


class Channel(Protocol):
    """One connection; `server` holds the limits, the clock and the site."""

    site: Site
    transport: Any

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._active: Request | None = None
        self._incoming: Request | None = None
        self._fields: list[Field] = []
        self._uri = b""
        self._head_bytes = 0
        self._in_head = False
        self._upgrading = False
        self._fault: BadFraming | None = None
        self._closing = False
        self._advancing = False
        self._reading = True
        self._throttled = False
        self._body_since = 0.0
        self.persist = True
        self.deadline = NEVER

    # the connection

    def connectionMade(self) -> None:
        """Ready for the first head, which must come within `header_timeout`."""
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)
            self.transport.setTcpKeepAlive(True)
        self.write = eager_writer(self.transport)
        self.deadline = self._server.now() + self._server.limits.header_timeout
        self._server.channels.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever is at work for this caller."""
        self._server.channels.discard(self)
        self._closing = True
        self._queue.clear()
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.body.fail(CallerGone("the caller closed the connection within its request"))
        active, self._active = self._active, None
        if active is not None:
            active.connectionLost(reason)
        del self._parser  # it holds this channel: break the cycle

    def dataReceived(self, data: bytes) -> None:
        """Parse a segment, then go on with what it brought."""
        if self._closing:
            return
        self._feed(data)
        if self._fault is None and self._in_head:
            self._count_head(len(data))
        self._after_segment()

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._feed_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if self._fault is None:
                # Data behind a request that asked for the connection to close is no fault of that request.
                self._fault = BadFraming(400, f"malformed HTTP: {error}")

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """Some clients offer h2c with a body behind: serve them in HTTP/1.1, as RFC 9110 section 7.8 allows."""
        self._upgrading = False
        drop = (b"upgrade", b"connection", b"http2-settings")
        lines = [b"%b %b HTTP/1.1" % (self._parser.get_method(), self._uri)]
        lines += [name + b": " + value for name, value in self._fields if name.lower() not in drop]
        self._parser = httptools.HttpRequestParser(self)
        self._feed(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._server.limits.max_header_bytes + MAX_FIELD_BYTES:
            self._fault = BadFraming(431, "the request's head is too large")

    def _after_segment(self) -> None:
        if self._fault is not None:
            self._in_head = False
            incoming, self._incoming = self._incoming, None
            if incoming is not None:  # its answer is the last one here
                incoming.keep_alive = self.persist = False
                incoming.body.fail(self._fault)
        elif self._in_head and self._active is None and self.deadline == NEVER:
            self.deadline = self._server.now() + self._server.limits.header_timeout
        if not self._advancing:
            self._advance()
        self._set_reading()

    # what llhttp tells

    def on_message_begin(self) -> None:
        self._fields = []
        self._uri = b""
        self._head_bytes = 0
        if not self._in_head:
            self._in_head = True
            if self._active is None and not self._queue:
                self.deadline = NEVER  # set to a number at the end of the segment, unless the head is complete by then

    def on_url(self, part: bytes) -> None:
        self._uri += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: nothing in it is passed on
        size = len(name) + len(value)
        self._fields.append((name, value))
        self._head_bytes += size
        if size > MAX_FIELD_BYTES or len(self._fields) > MAX_FIELDS:
            self._refuse(
                BadFraming(
                    431, f"a header field of more than {MAX_FIELD_BYTES} bytes, or more than {MAX_FIELDS} fields"
                )
            )
        if self._head_bytes > self._server.limits.max_header_bytes:
            self._refuse(BadFraming(431, f"a head of more than {self._server.limits.max_header_bytes} bytes"))

    def _refuse(self, fault: BadFraming) -> None:
        """Stop the parser: what follows cannot be trusted."""
        self._fault = fault
        raise fault

    def on_headers_complete(self) -> None:
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        try:
            framing = check(method, self._uri, version, self._fields)
        except BadFraming as fault:
            self._refuse(fault)
        self._head_bytes = 0
        if framing.upgrade and parser.should_upgrade():
            self._upgrading = True
            return
        self._in_head = False
        limit = self._server.limits.max_body_bytes
        body = IncomingBody(limit, self._throttle)
        protocol = b"HTTP/1.1" if version == "1.1" else b"HTTP/1.0"
        request = Request(self, method, self._uri, protocol, self._fields, framing.length, body)
        if framing.length is not None and framing.length > limit:
            body.fail(BodyTooLarge(f"a body of {framing.length} bytes, more than {limit}"))
        elif framing.expects_continue:
            body.when_wanted(self._continue)
        request.keep_alive = parser.should_keep_alive()
        self._incoming = request
        self._queue.append(request)

    def _continue(self) -> None:
        if self._active is not None and not self._active.startedWriting:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        if self._incoming is not None:
            self._incoming.body.feed(data)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.body.end()

    # one request after the other

    def _advance(self) -> None:
        """Give the next request to the server; a loop, because answers may be given before `accept` returns."""
        self._advancing = True
        while self._active is None and not self._closing:
            if self._queue:
                self._active = request = self._queue.popleft()
                self.persist = request.keep_alive
                self.deadline = NEVER
                if request.body.unfinished:
                    self._body_since = self._server.now()
                self._server.accept(request)
            else:
                if self._fault is not None:
                    self._answer_fault(self._fault)
                break
        self._advancing = False

    def _answer_fault(self, fault: BadFraming) -> None:
        """The last answer on this connection."""
        self.write(self._server.answer_fault(fault, self._uri))
        self._close()

    def requestDone(self, request: Request) -> None:
        """The active request has been answered."""
        if request is not self._active:
            return
        self._active = None
        if not self.persist or not request.body.complete:
            self._close()
            return
        limits = self._server.limits
        self.deadline = self._server.now() + (limits.header_timeout if self._in_head else limits.idle_timeout)
        if not self._advancing and (self._queue or self._fault is not None):
            self._advance()
        self._set_reading()

    def _close(self) -> None:
        """Close, but not on unread input: that resets the connection and destroys the answer (RFC 9112 section 9.6)."""
        if (self._incoming is None and self._fault is None) or self.isSecure():
            self.break_off()
            return
        self._queue.clear()
        self._closing = True
        self.deadline = self._server.now() + LINGER
        self.transport.loseWriteConnection()
        self._throttled = False
        self._set_reading()

    def break_off(self) -> None:
        """Close when what is written has gone out; a caller that does not take it is cut off after `idle_timeout`."""
        self._queue.clear()
        self._closing = True
        self.deadline = self._server.now() + self._server.limits.idle_timeout
        self.transport.loseConnection()

    # time and back-pressure

    def sweep(self, now: float) -> None:
        """Look at the deadlines; called once a second."""
        if now >= self.deadline:
            self._expire()
        elif self._active is not None and self._active is self._incoming and not self._throttled:
            body = self._active.body
            if body.unfinished and now - self._body_since > self._server.limits.body_seconds(body.received):
                body.fail(BodyTimeout("the request's body did not arrive in time"))

    def _expire(self) -> None:
        self.deadline = NEVER
        if self._closing:
            self.transport.abortConnection()
        elif self._in_head:
            self._answer_fault(BadFraming(408, "the request's head did not arrive in time"))
        else:
            self.break_off()

    def _throttle(self, paused: bool) -> None:
        if self._throttled and not paused:
            self._body_since = self._server.now()
        self._throttled = paused
        self._set_reading()

    def _set_reading(self) -> None:
        """Read on unless a body is held back or enough pipelined requests wait."""
        wanted = not self._throttled and len(self._queue) < MAX_PIPELINED
        if wanted != self._reading and self.transport is not None:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    # what twisted.web's Request asks of its channel

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Back-pressure from this caller goes to `producer`."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """No more of it."""
        self.transport.unregisterProducer()

    def getPeer(self) -> IAddress:
        """The caller's address."""
        return cast(IAddress, self.transport.getPeer())

    def getHost(self) -> IAddress:
        """Our address."""
        return cast(IAddress, self.transport.getHost())

    def isSecure(self) -> bool:
        """Whether this is TLS."""
        return hasattr(self.transport, "getPeerCertificate")
