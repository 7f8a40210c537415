"""One caller's connection to the stand-in: requests read, replies played, departures noted."""

from typing import TYPE_CHECKING

import httptools
from twisted.internet import protocol
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import ITCPTransport
from twisted.python.failure import Failure

from agentgateway.demo.exchange import End, Reply, Request
from agentgateway.demo.faults import too_large
from agentgateway.demo.playing import Player
from agentgateway.demo.served import Record
from agentgateway.wire.eager import eager_writer

if TYPE_CHECKING:
    from agentgateway.demo.standin import StandIn

_MAX_HEAD, _MAX_BODY = 1 << 18, 64 << 20
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(protocol.Protocol):
    """One caller's connection: one request at a time, its answer played before the next one."""

    transport: ITCPTransport

    def __init__(self, standin: "StandIn") -> None:
        self._standin = standin

    def connectionMade(self) -> None:
        """A caller has come."""
        if not isinstance(self.transport.getHost(), UNIXAddress):
            self.transport.setTcpNoDelay(True)
        self._parser = httptools.HttpRequestParser(self)
        self._player = Player(
            self._standin.reactor, self.transport, eager_writer(self.transport), self._wrote, self._ended
        )
        self._record: Record | None = None
        self._leaving = False
        self._in_head, self._length = True, 0
        self._standin.served.connections_opened += 1
        self._standin.connections.add(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes of a request; what is no HTTP is refused."""
        if self._in_head:
            self._grow(len(data), _MAX_HEAD)
        if self._leaving:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._leaving:
                self.transport.write(_BAD_REQUEST)
                self._leave()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """The connection is gone; when the caller closed it, that is noted."""
        self._player.stopProducing()
        if not self._leaving:
            self._standin.served.left(self._record, self._standin.now())
        self._standin.gone(self)

    def drop(self) -> None:
        """Reset the connection, whatever goes on."""
        self._leaving = True
        self.transport.abortConnection()

    def on_message_begin(self) -> None:
        """A request starts. Another one before the answer to the last is through has no place here."""
        if self._record is not None:
            self._leave()
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is read: some answers do not wait for the body."""
        self._in_head, self._length = False, 0
        for name, value in self._headers:
            if name == b"expect":
                self.transport.write(_CONTINUE)
            elif name == b"x-standin-fault" and value == b"early-413":
                self._answer(too_large())

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._body.append(data)
        self._grow(len(data), _MAX_BODY)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_head, self._length = True, 0
        if not self._leaving:
            self._answer(None)

    def _grow(self, size: int, limit: int) -> None:
        self._length += size
        if self._length > limit and not self._leaving:
            self._leave()

    def _answer(self, reply: Reply | None) -> None:
        """Play `reply`, or what the script says."""
        request = Request(self._parser.get_method(), self._target, tuple(self._headers), b"".join(self._body))
        reply = reply or self._standin.reply(request)
        if request.target != b"/_standin/served":
            self._record = self._standin.served.begin(request, reply, self._standin.now())
        self._player.play(reply)

    def _wrote(self, tokens: int) -> None:
        if tokens and self._record is not None:
            self._standin.served.wrote(self._record, tokens)

    def _ended(self, reply: Reply) -> None:
        """All steps are written."""
        if reply.end is End.HOLD:
            return
        if self._record is not None:
            self._record.finished = reply.end is End.KEEP
            self._record = None
        if reply.end is End.RESET:
            self.drop()
        elif reply.end is End.CLOSE or not self._parser.should_keep_alive():
            self._leave()

    def _leave(self) -> None:
        self._leaving = True
        self.transport.loseConnection()
