"""The server's side of HTTP/1.1: one connection, its requests answered one after the other in the order they came.

When a segment has been parsed the oldest request is given to the server, with whatever of its body is there: mostly all
of it. One request is active at a time, pipelined ones wait. Deadlines are kept as numbers that `Server.sweep` looks at
once a second: no timer per call.
"""

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Site

from agentgateway.wire.eager import eager_writer, forget_reader, read_into, tune
from agentgateway.wire.errors import BadFraming, BodyTimeout, CallerGone
from agentgateway.wire.remembering import RememberingReader
from agentgateway.wire.request import Request

if TYPE_CHECKING:
    from agentgateway.wire.server import Server

NEVER = float("inf")
MAX_PIPELINED = 32
LINGER = 30.0
"""Seconds that a caller may go on sending behind its last answer, so that it can read that answer."""


class Channel(RememberingReader):
    """One connection; `server` holds the limits, the clock and the site."""

    _log = Logger()
    site: Site
    transport: Any

    def __init__(self, server: "Server", spare: bool = False) -> None:
        """`spare`: there are too many connections already."""
        super().__init__(server)
        self.spare = spare
        self._active: Request | None = None
        self._closing = False
        self._advancing = False
        self._reading = True
        self._body_since = 0.0
        self.persist = True
        self.deadline = NEVER

    # the connection

    def connectionMade(self) -> None:
        """Ready for the first head, which must come within `header_timeout`."""
        tune(self.transport)
        read_into(self.transport, self.dataReceived)
        self.write = eager_writer(self.transport, self._server.outbox)
        self.deadline = self._server.now() + self._server.limits.header_timeout
        self._server.channels.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever is at work for this caller."""
        forget_reader(self.transport)
        self._server.channels.discard(self)
        self._closing = True
        self._queue.clear()
        active, self._active = self._active, None
        if active is not None:
            active.connectionLost(reason)
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.body.fail(CallerGone("the caller closed the connection within its request"))
        self._parser = None  # it holds this channel: break the cycle

    def dataReceived(self, data: bytes) -> None:
        """Parse a segment, then go on with what it brought."""
        if self._closing:
            return
        self._parse(data)
        if self._fault is not None:
            self._stop_reading(self._fault)
        if not self._advancing:
            self._advance()
        if self._in_head and not self._head_timed and self._active is None:
            self._head_timed = True
            self.deadline = self._server.now() + self._server.limits.header_timeout
        self._set_reading()

    def _stop_reading(self, fault: BadFraming) -> None:
        """Nothing more can be read here: a request that is not complete fails, those before it are answered still."""
        self._in_head = self._throttled = False
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            return
        if self._queue and self._queue[-1] is incoming:
            self._queue.pop()  # nobody has seen it: the fault is answered in its place
        else:  # its answer is the last one here
            self.persist = False
            incoming.body.fail(fault)

    # one request after the other

    def _advance(self) -> None:
        """Give the next request to the server; a loop, because answers may be given before `accept` returns."""
        self._advancing = True
        while self._active is None and not self._closing:
            if self._queue:
                self._active = request = self._queue.popleft()
                self.persist = request.keep_alive and not (self.spare or self._server.draining)
                self.deadline = NEVER
                if request.body.unfinished:
                    self._body_since = self._server.now()
                self._accept(request)
            else:
                if self._fault is not None:
                    self._answer_fault(self._fault)
                break
        self._advancing = False

    def _accept(self, request: Request) -> None:
        try:
            self._server.accept(request)
        except Exception:
            self._log.failure("a request was not accepted")
            self.break_off()

    def _answer_fault(self, fault: BadFraming) -> None:
        """The last answer on this connection."""
        self.write(self._server.answer_fault(fault, self._uri))
        self._close()

    def requestDone(self, request: Request) -> None:
        """The active request has been answered."""
        self._active = None
        if not self.persist or not request.body.complete:
            self._close()
            return
        self._head_timed = self._in_head
        limits = self._server.limits
        self.deadline = self._server.now() + (limits.header_timeout if self._in_head else limits.idle_timeout)
        if not self._advancing:
            if self._queue or self._fault is not None:
                self._advance()
            self._set_reading()

    def _close(self) -> None:
        """Close, but not on unread input: that resets the connection and destroys the answer (RFC 9112 section 9.6)."""
        if (self._incoming is None and self._fault is None) or self.isSecure():
            self.break_off()  # TLS reads on by itself until the other side has said that it closes
            return
        self._end_reading()
        self.deadline = self._server.now() + LINGER
        self._server.outbox.flush()
        self.transport.loseWriteConnection()

    def break_off(self) -> None:
        """Close when what is written has gone out; a caller that does not take it is cut off after `idle_timeout`."""
        self._end_reading()
        self.deadline = self._server.now() + self._server.limits.idle_timeout
        self._server.outbox.flush()
        self.transport.loseConnection()

    def _end_reading(self) -> None:
        self._queue.clear()
        self._closing = True
        self._throttled = False
        self._set_reading()

    # time and back-pressure

    def sweep(self, now: float) -> None:
        """Look at the deadlines; called once a second."""
        if now >= self.deadline:
            self._expire()
        elif self._active is not None and self._active is self._incoming and not self._throttled:
            body = self._active.body
            if body.overdue(now - self._body_since, self._server.limits.body_seconds):
                body.fail(BodyTimeout("the request's body did not arrive in time"))

    def _expire(self) -> None:
        self.deadline = NEVER
        if self._closing:
            self.transport.abortConnection()
        elif self._in_head:
            self._answer_fault(BadFraming(408, "the request's head did not arrive in time"))
        else:
            self.break_off()

    def close_idle(self) -> None:
        """Close if no request is here, not even the beginning of one; otherwise the answer will say that it closes."""
        self.persist = False
        if self._active is None and not self._in_head and not self._closing:
            self.break_off()

    def _continue(self) -> None:
        """Somebody wants the active request's body: invite it, unless the caller did not wait for that."""
        self._body_since = self._server.now()
        if self._active is not None and not self._active.startedWriting and not self._active.body.received:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _throttle(self, paused: bool) -> None:
        if self._throttled and not paused:
            self._body_since = self._server.now()
        self._throttled = paused
        self._set_reading()

    def _set_reading(self) -> None:
        """Read on unless a body is held back or enough pipelined requests wait."""
        wanted = not self._throttled and len(self._queue) < MAX_PIPELINED
        if wanted != self._reading:
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
