"""Requests out of bytes: the llhttp half of a server's connection, with the limits on heads.

A segment is parsed whole; each request whose head is complete stands in the queue by then, with whatever of its body
has come. What is done with the queue is the channel's business.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

import httptools
from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from agentgateway.wire.body import IncomingBody, UntoldBody
from agentgateway.wire.errors import BadFraming, BodyTooLarge, CannotRead
from agentgateway.wire.framing import MAX_FIELD_BYTES, check, check_size
from agentgateway.wire.headers import Field, RawHeaders, lowered, serialise
from agentgateway.wire.request import Request

if TYPE_CHECKING:
    from agentgateway.wire.channel import Channel
    from agentgateway.wire.server import Server


_log = Logger("agentgateway")


class RequestReader(Protocol):
    """Parses; the base of RememberingReader."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._incoming: Request | None = None
        self._fault: BadFraming | None = None
        self._throttled = False
        self._in_head = False
        self._head_timed = True
        self._fields: list[Field] = []
        self._uri = b""
        self._small = min(MAX_FIELD_BYTES, server.limits.max_header_bytes)
        self._suspect = False
        self._mark = 0
        self._pending = 0

    # segments

    def _parse(self, data: bytes) -> None:
        """Parse a segment. What is wrong with it is in `_fault` then, and nothing behind that is parsed."""
        if self._fault is None:  # else there may be more from this caller, while what came before is answered
            self._read(data)

    def _cannot_read(self, error: BaseException | None) -> None:
        if self._fault is None:
            _log.error("a request could not be read: {error}", error=type(error).__name__)
            self._fault = CannotRead()

    def _read(self, data: bytes) -> None:
        size = len(data)
        # A head that came in one small segment needs no measuring.
        self._suspect = self._in_head or size > self._small
        self._feed(data)
        if (self._in_head or self._incoming is not None) and self._fault is None:
            self._measure(size)

    def _feed(self, data: bytes) -> None:
        parts: list[bytes | memoryview] = [data]
        while parts:
            part = parts.pop()
            try:
                self._parser.feed_data(part)
            except httptools.HttpParserUpgrade as upgrade:
                parts.append(memoryview(part)[upgrade.args[0] :])
                parts.append(self._without_upgrade())
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserCallbackError as error:
                return self._cannot_read(error.__context__)
            except httptools.HttpParserError as error:
                if self._fault is None:
                    self._fault = BadFraming(400, f"malformed HTTP: {error}")
                return

    def _without_upgrade(self) -> bytes:
        """The head again without the offer to upgrade, at which llhttp stops; it came with a body, maybe.

        Some clients offer h2c in this way: they are served in HTTP/1.1, as RFC 9110 section 7.8 allows. The names in
        Connection stay, for they say which fields must not be passed on.
        """
        first = b"%b %b HTTP/%b" % (self._parser.get_method(), self._uri, self._parser.get_http_version().encode())
        return serialise(first, [field for field in self._fields if field[0].lower() != b"upgrade"])

    def _measure(self, size: int) -> None:
        """Bound what has come of a head, and what brings nothing: half a field, trailers, chunk extensions."""
        incoming = self._incoming
        mark = len(self._fields) + len(self._uri) if incoming is None else incoming.body.received
        if mark == self._mark:
            self._pending += size
        else:
            self._mark, self._pending = mark, 0
        try:
            if incoming is None:
                check_size(self._uri, self._fields, self._pending, self._server.limits.max_header_bytes)
            elif self._pending > self._server.limits.max_header_bytes:
                raise BadFraming(431, "too many trailers or chunk extensions")
        except BadFraming as fault:
            self._fault = fault

    # what llhttp tells

    def on_message_begin(self) -> None:
        self._fields = []
        self._uri = b""
        self._in_head = True
        self._mark = -1

    def on_url(self, part: bytes) -> None:
        self._uri += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else it is a trailer: nothing in it is passed on
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        parser, fields = self._parser, self._fields
        method, version = parser.get_method(), parser.get_http_version()
        limits = self._server.limits
        try:
            if self._suspect or len(fields) > 64:
                check_size(self._uri, fields, 0, limits.max_header_bytes)
            names = lowered(fields)
            framing = check(method, self._uri, version, fields, names)
        except BadFraming as fault:
            self._fault = fault
            raise  # stops the parser: what follows cannot be trusted
        if framing.upgrade and parser.should_upgrade():
            return  # and is fed again, see _without_upgrade
        self._in_head = self._head_timed = False
        length = framing.length
        kind = UntoldBody if length is None else IncomingBody
        body = kind(limits.max_body_bytes, self._throttle, self._server.room)
        protocol = b"HTTP/1.1" if version == "1.1" else b"HTTP/1.0"
        channel: Channel = self  # type: ignore[assignment]
        headers = RawHeaders(fields, names)
        request = Request(channel, method, self._uri, protocol, headers, length, body)
        if length is not None and length > limits.max_body_bytes:
            body.fail(BodyTooLarge(f"a body of {length} bytes, more than {limits.max_body_bytes}"))
        elif framing.expects_continue:
            body.when_wanted(self._continue)
        request.keep_alive = parser.should_keep_alive()
        self._incoming = request
        self._queue.append(request)

    def on_body(self, data: bytes) -> None:
        if self._incoming is not None:
            self._incoming.body.feed(data)

    def on_message_complete(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            self._throttled = False  # it was this body that was held back
            incoming.body.end()

    # what the channel does

    def _throttle(self, paused: bool) -> None:
        raise NotImplementedError

    def _continue(self) -> None:
        raise NotImplementedError
