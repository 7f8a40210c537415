"""The listening side: makes channels, bounds their number, sweeps their deadlines."""

from typing import Any
from typing import Protocol as Interface

import attrs
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory
from zope.interface import implementer

from agentgateway.wire.channel import Channel
from agentgateway.wire.errors import BadFraming
from agentgateway.wire.headers import Field, serialise
from agentgateway.wire.heads import Heads
from agentgateway.wire.outbox import DIRECT, Outbox
from agentgateway.wire.request import Request
from agentgateway.wire.room import Room

_PHRASES = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


@attrs.frozen
class Limits:
    """What one connection may take: bytes and seconds."""

    max_header_bytes: int = 65_536
    max_body_bytes: int = 33_554_432
    header_timeout: float = 10.0
    idle_timeout: float = 75.0
    max_connections: int = 20_000
    spare: int = 64
    """Connections above that: each is read and closed behind one answer, which only an operator's may be worth much."""
    body_grace: float = 30.0
    body_rate: int = 4_096
    """Bytes a second below which, after `body_grace`, a body is too slow."""

    def body_seconds(self, received: int) -> float:
        """How long a body of which `received` bytes are here may have taken."""
        return self.body_grace + received / self.body_rate


class Accept(Interface):
    """Whoever answers requests."""

    def accept(self, request: Request) -> None:
        """Answer `request`, now or later; its head is complete, its body maybe not."""

    def fault(self, fault: BadFraming, uri: bytes) -> tuple[list[Field], bytes]:
        """Fields and body of the answer to a request that could not be parsed."""

    def overloaded(self) -> tuple[list[Field], bytes]:
        """Fields and body of the answer to a connection above the limit."""


@implementer(IProtocolNegotiationFactory)
class Server(ServerFactory):
    """Makes a Channel for each connection; above `max_connections` it is a spare one, above those it is told 503."""

    noisy = False

    def __init__(self, reactor: IReactorTime, site: Accept, limits: Limits, outbox: Outbox = DIRECT) -> None:
        self._site = site
        self.outbox = outbox
        self.now = reactor.seconds
        self.accept = site.accept
        self.limits = limits
        self.draining = False
        self.room = Room()
        self.heads = Heads()
        self.channels: set[Channel] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """A Channel, or where there are too many a protocol that says so and closes."""
        above = len(self.channels) - self.limits.max_connections
        if above >= self.limits.spare:
            fields, body = self._site.overloaded()
            return TurnAway(answer(503, fields, body))
        channel = Channel(self, above >= 0)
        channel.factory = self
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on; Twisted refuses callers that offer any protocols to a server that names none."""
        return [b"http/1.1", b"http/1.0"]

    def answer_fault(self, fault: BadFraming, uri: bytes) -> bytes:
        """The whole last response on a connection whose input cannot be trusted any more."""
        fields, body = self._site.fault(fault, uri)
        return answer(fault.status, fields, body)

    def sweep(self) -> None:
        """Once a second: close what is past its deadline."""
        now = self.now()
        for channel in list(self.channels):
            channel.sweep(now)

    def drain(self) -> None:
        """Close connections without a request now, and the others behind their answers."""
        self.draining = True
        for channel in list(self.channels):
            channel.close_idle()

    def close(self) -> None:
        """Close every connection now, answered or not."""
        for channel in list(self.channels):
            channel.transport.abortConnection()


def answer(status: int, fields: list[Field], body: bytes) -> bytes:
    """A whole response after which the connection closes."""
    closing = [*fields, (b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
    return serialise(b"HTTP/1.1 %d %b" % (status, _PHRASES.get(status, b"Error")), closing) + body


class TurnAway(Protocol):
    """Says one thing and closes."""

    transport: Any

    def __init__(self, words: bytes) -> None:
        self._words = words

    def connectionMade(self) -> None:
        """Say it."""
        self.transport.write(self._words)
        self.transport.loseConnection()
