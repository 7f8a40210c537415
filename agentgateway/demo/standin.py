"""A stand-in provider that speaks Anthropic's, OpenAI's and Google's APIs over real HTTP.

It says small talk, the same for the same request, and reports an input token for four bytes of body and an output token
for four characters of text. Under any path prefix it knows `/v1/messages`, `/v1/messages/count_tokens`,
`/v1/chat/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/models`, `/v1/files` (answered with the size and SHA-256
of the body), `:generateContent`, `:streamGenerateContent?alt=sse`, `:countTokens` and `HEAD /`. Tools are called when
some are offered and the prompt says "use the tool". `GET /_standin/served` tells what it served, as JSON.

Knobs and faults, by request header or behind the model's name, are those of `knobs`: `x-standin-chunks`, `-interval`,
`-delay`, `-bytes`, `-output`, `-cached` and `x-standin-fault`, which is one of

    status-<code>                    an error in the provider's shape (429, 503 and 529 with retry-after)
    reset-before-head close-before-head stall garbage    instead of an answer
    reset-mid close-mid stall-mid garbage-mid            half an answer, then the connection breaks, or falls silent
    truncate                         half an answer and a clean end of the HTTP message
    error-event                      half a stream, then the dialect's error event
    short-length                     Content-Length promises more than comes
    drip endless big-line            a byte at a time; without end; ten million bytes in one line
    cr crlf bom no-blank-lines       server-sent events framed in other ways
    gzip br                          compressed, whatever was accepted
    no-usage odd-usage               usage left out, or negative and of wrong types
    early-413                        refused before the body is read (by header only)
    redirect hundred-continue interim-103                302; an unasked 100; a 103 before the head

As a process of its own: `python -m agentgateway.demo.standin --port 0` prints the port it listens on.
"""

import argparse
import time
from collections.abc import Callable
from typing import cast

import httptools
import msgspec
from twisted.internet import protocol
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTCP, IReactorTime, ITCPTransport
from twisted.internet.task import react
from twisted.python.failure import Failure

from agentgateway.demo.exchange import End, Reply, Request, Step
from agentgateway.demo.faults import perform, too_large
from agentgateway.demo.playing import Player
from agentgateway.demo.served import Record, Served
from agentgateway.demo.speech.route import answer
from agentgateway.wire.eager import eager_writer

Script = Callable[[Request], Reply]
_MAX_HEAD, _MAX_BODY = 1 << 18, 64 << 20
_KEPT_REPLIES, _KEPT_BODY = 256, 1 << 14
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def speak(request: Request) -> Reply:
    """The usual script: what a provider would answer, and what the knobs make of it."""
    return perform(*answer(request), bodiless=request.method == b"HEAD")


class Connection(protocol.Protocol):
    """One caller's connection: one request at a time, its answer played before the next one."""

    transport: ITCPTransport

    def __init__(self, standin: "StandIn") -> None:
        self._standin = standin

    def connectionMade(self) -> None:
        """A caller has come."""
        self.transport.setTcpNoDelay(True)
        self._parser = httptools.HttpRequestParser(self)
        self._player = Player(
            self._standin.reactor, self.transport, eager_writer(self.transport), self._wrote, self._ended
        )
        self._record: Record | None = None
        self._leaving = False
        self._standin.served.connections_opened += 1

    def dataReceived(self, data: bytes) -> None:
        """Bytes of a request; what is no HTTP is refused."""
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

    def on_message_begin(self) -> None:
        """A request starts. Another one before the answer to the last is through has no place here."""
        if self._record is not None:
            self._leave()
        self._target, self._length = b"", 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self._target += part
        self._grow(len(part), _MAX_HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name.lower(), value))
        self._grow(len(name) + len(value), _MAX_HEAD)

    def on_headers_complete(self) -> None:
        """The head is read: some answers do not wait for the body."""
        self._length = 0
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
            self._leaving = True
            self.transport.abortConnection()
        elif reply.end is End.CLOSE or not self._parser.should_keep_alive():
            self._leave()

    def _leave(self) -> None:
        self._leaving = True
        self.transport.loseConnection()


class StandIn(protocol.Factory):
    """The provider, for any endpoint. `served` says what it has done; `script` decides what it answers.

    `reactor` keeps the pace of its answers; `now` gives the times it notes, in seconds.
    """

    noisy = False

    def __init__(
        self, reactor: IReactorTime, script: Script = speak, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.reactor, self.script, self.now = reactor, script, now
        self.served = Served()
        self._replies: dict[object, Reply] = {}

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """A connection of its own for each caller."""
        return Connection(self)

    def reply(self, request: Request) -> Reply:
        """What the script says; the usual script's small answers are kept, for the same request gets the same one."""
        if request.target == b"/_standin/served":
            return self._books()
        if self.script is not speak or len(request.body) > _KEPT_BODY:
            return self.script(request)
        knobs = [field for field in request.headers if field[0][:10] == b"x-standin-" or field[0][:10] == b"anthropic-"]
        key = (request.method, request.target, request.header(b"content-type"), request.body, *knobs)
        reply = self._replies.get(key)
        if reply is None:
            reply = speak(request)
            if isinstance(reply.steps, tuple):
                self._keep(key, reply)
        return reply

    def _keep(self, key: object, reply: Reply) -> None:
        if len(self._replies) >= _KEPT_REPLIES:
            self._replies.clear()
        self._replies[key] = reply

    def _books(self) -> Reply:
        body = msgspec.json.encode(self.served.as_json())
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        return Reply((Step(head + body),), status=200)


def main(argv: list[str] | None = None) -> None:
    """Serve until stopped, on 127.0.0.1 unless told otherwise; the first line printed is the port."""
    options = argparse.ArgumentParser(prog="standin", description="A stand-in LLM provider.")
    options.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    options.add_argument("--interface", default="127.0.0.1")
    chosen = options.parse_args(argv)

    def serve(reactor: IReactorTCP) -> Deferred[None]:
        standin = StandIn(cast(IReactorTime, reactor))
        # The cast: to the type checker only a ServerFactory may listen; to Twisted any factory may.
        factory = cast(protocol.ServerFactory, standin)
        port = reactor.listenTCP(chosen.port, factory, backlog=4096, interface=chosen.interface)
        print(cast(IPv4Address, port.getHost()).port, flush=True)
        return Deferred()

    react(serve)


if __name__ == "__main__":
    main()
