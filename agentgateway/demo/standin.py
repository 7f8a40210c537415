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

import msgspec
from twisted.internet import protocol
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTCP, IReactorTime
from twisted.internet.task import react
from zope.interface import implementer

from agentgateway.demo.connection import Connection
from agentgateway.demo.exchange import Reply, Request, Step
from agentgateway.demo.faults import perform
from agentgateway.demo.served import Served
from agentgateway.demo.speech.route import answer

Script = Callable[[Request], Reply]
_KEPT_REPLIES, _KEPT_BODY = 256, 1 << 14


def speak(request: Request) -> Reply:
    """The usual script: what a provider would answer, and what the knobs make of it."""
    return perform(*answer(request), bodiless=request.method == b"HEAD")


@implementer(IProtocolNegotiationFactory)
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
        self.connections: set[Connection] = set()
        self._replies: dict[object, Reply] = {}
        self._emptied: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """A connection of its own for each caller."""
        return Connection(self)

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 over TLS; without a word on it, clients that offer a choice are turned away."""
        return [b"http/1.1"]

    def gone(self, connection: Connection) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        if self._emptied is not None and not self.connections:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    def hang_up(self) -> Deferred[None]:
        """Reset all connections; fires once they are gone."""
        self._emptied = emptied = Deferred[None]()
        for connection in list(self.connections):
            connection.drop()
        if not self.connections and not emptied.called:
            self._emptied = None
            emptied.callback(None)
        return emptied

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
