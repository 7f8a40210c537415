"""Requests out of bytes, by heads that came before: what is known needs no parsing, and its body is only counted.

Everything else goes to llhttp, which sees whole requests or nothing of them.
"""

from typing import TYPE_CHECKING, Final

from agentgateway.wire.body import IncomingBody
from agentgateway.wire.headers import raw
from agentgateway.wire.heads import PATIENCE, Head
from agentgateway.wire.request import Request
from agentgateway.wire.request_reader import RequestReader

LARGEST: Final = 1_048_576
"""Bytes of a body above which its head is parsed like any other: beside so many that costs nothing."""

if TYPE_CHECKING:
    from agentgateway.wire.channel import Channel
    from agentgateway.wire.server import Server


class RememberingReader(RequestReader):
    """Knows heads again; the base of Channel."""

    def __init__(self, server: "Server") -> None:
        super().__init__(server)
        self._head: Head | None = None
        """That of the latest request here, if it may come again."""
        self._patience = PATIENCE
        self._fresh = True
        self._left = 0
        """Of the body of a request whose head was known: llhttp has not seen it."""

    def _read(self, data: bytes) -> None:
        if self._left:
            data = self._count(data)
            if not data:
                return
        between = not self._in_head and self._incoming is None
        if between and self._known(data):
            return
        queued = len(self._queue)
        super()._read(data)
        if between and self._patience and len(self._queue) == queued + 1 and not self._in_head:
            self._learn(data, self._queue[-1])

    def _known(self, data: bytes) -> bool:
        """Take a request that begins with a remembered head; False where it does not, or more than it has come."""
        head, self._head = self._head, None
        if self._fresh:
            self._fresh = False
            head = self._server.heads.find(data)
        found = None if head is None else head.begins(data)
        if head is None or found is None:
            return False
        length, start = found
        left = length - (len(data) - start)
        limit = self._server.limits.max_body_bytes
        if left < 0 or length > min(limit, LARGEST):
            return False
        self._head, self._patience = head, PATIENCE
        body = IncomingBody(limit, self._throttle, self._server.room)
        channel: Channel = self  # type: ignore[assignment]
        request = Request(channel, head.method, head.uri, b"HTTP/1.1", head.headers, length, body)
        self._queue.append(request)
        if left:
            self._incoming, self._left = request, left
            if len(data) > start:
                body.feed(data[start:])
        else:
            body.arrived_at_once(data[start:])
        return True

    def _count(self, data: bytes) -> bytes:
        """More of the body of such a request; gives what is behind it."""
        part = data[: self._left]
        self._left -= len(part)
        try:
            self.on_body(part)
            if not self._left:
                self.on_message_complete()
        except Exception as error:
            self._cannot_read(error)
            return b""
        return data[len(part) :]

    def _learn(self, data: bytes, request: Request) -> None:
        """Remember the head of a request that nothing came before, if it is of the kind that comes again."""
        headers, length = raw(request.requestHeaders), request.length
        usual = request.keep_alive and request.clientproto == b"HTTP/1.1" and b"expect" not in headers.lowered
        if usual and length and length <= LARGEST and self._fault is None:
            self._patience -= 1
            self._head = self._server.heads.learn(data, request.method, request.uri, headers)

    def on_headers_complete(self) -> None:
        self._head = None  # it may be the last request here, behind which nothing is known
        super().on_headers_complete()
