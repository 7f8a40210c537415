"""A wire in memory with a socket's habits, a site that answers as told, an upstream that is played by the test."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from agentgateway.wire.agent import Agent
from agentgateway.wire.channel import Channel
from agentgateway.wire.errors import BadFraming
from agentgateway.wire.pool import ClientLimits
from agentgateway.wire.request import Request
from agentgateway.wire.server import Limits, Server


class Wire(StringTransport):
    """A StringTransport that can be half closed, remembers what was done to it, and refuses writing after an end."""

    half_closed = False
    aborted = False

    def write(self, data: bytes) -> None:
        """Keep it, unless this side has closed."""
        assert not self.half_closed, "written behind the end"
        if not self.disconnecting:
            super().write(data)

    def loseWriteConnection(self) -> None:
        """No more from this side."""
        self.half_closed = True

    def abortConnection(self) -> None:
        """Gone at once."""
        self.aborted = self.disconnecting = True

    def pauseProducing(self) -> None:
        """As a socket: without effect when it closes."""
        if not self.disconnecting:
            super().pauseProducing()

    def resumeProducing(self) -> None:
        """As a socket: without effect when it closes."""
        if not self.disconnecting:
            super().resumeProducing()

    @property
    def reading(self) -> bool:
        """Whether this side still wants bytes."""
        return self.producerState == "producing"

    @property
    def closed(self) -> bool:
        """Whether this side has ended the connection, in whichever way."""
        return self.disconnecting or self.half_closed

    def taken(self) -> bytes:
        """What was written since it was asked last."""
        data: bytes = self.value()
        self.clear()
        return data


class Site:
    """Answers each request with `reply`; without one the test does. Keeps all it was given."""

    def __init__(self, reply: Callable[[Request], None] | None = None) -> None:
        self.reply = reply
        self.requests: list[Request] = []
        self.faults: list[tuple[int, bytes]] = []

    def accept(self, request: Request) -> None:
        """Keep it, and answer."""
        self.requests.append(request)
        if self.reply is not None:
            self.reply(request)

    def fault(self, fault: BadFraming, uri: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Says what was wrong."""
        self.faults.append((fault.status, uri))
        return [(b"X-Reason", b"bad")], fault.detail.encode()

    def overloaded(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Says that there are too many."""
        return [(b"X-Reason", b"full")], b"full"


def hello(request: Request) -> None:
    """A short answer that names the path."""
    answer(request, b"you asked for " + request.uri)


def hello_when_whole(request: Request) -> None:
    """The same, when the request's body is here; a body that fails is a 400."""
    request.body.arrived().addCallbacks(lambda _: hello(request), lambda _: answer(request, b"", 400))


def answer(request: Request, body: bytes, code: int = 200) -> None:
    """A whole answer in one write."""
    request.setResponseCode(code)
    request.responseHeaders.setRawHeaders(b"content-length", [b"%d" % len(body)])
    request.finish(body)


class Caller:
    """One client's connection to a server under test."""

    def __init__(self, site: Site, clock: Clock | None = None, server: Server | None = None, **limits: Any) -> None:
        self.clock = clock or Clock()
        self.site = site
        self.server = server or Server(self.clock, site, Limits(**limits))
        self.wire = Wire()
        protocol = self.server.buildProtocol(None)
        protocol.makeConnection(self.wire)
        self.channel: Any = protocol
        if isinstance(protocol, Channel):
            assert protocol in self.server.channels

    def say(self, data: bytes) -> bytes:
        """Send it in one segment; gives what came back by then."""
        self.channel.dataReceived(data)
        return self.wire.taken()

    def leave(self) -> None:
        """Close from the client's side."""
        self.channel.connectionLost(Failure(ConnectionDone()))

    def wait(self, seconds: float) -> bytes:
        """Let time pass, swept once a second; gives what came back by then."""
        for _ in range(round(seconds)):
            self.clock.advance(1)
            self.server.sweep()
        return self.wire.taken()


class Line:
    """One connection that an agent has opened: `wire` is what it wrote, `say` plays the upstream."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.wire = Wire()
        protocol.makeConnection(self.wire)

    def say(self, data: bytes) -> None:
        """Send it in one segment."""
        self.protocol.dataReceived(data)

    def hang_up(self, reason: Exception | None = None) -> None:
        """Close from the upstream's side."""
        self.protocol.connectionLost(Failure(reason or ConnectionDone()))


@implementer(IStreamClientEndpoint)
class Exchange:
    """An endpoint in memory: opens a Line at once, or when `held` is true leaves the attempt open."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.held = False
        self.refusal: Exception | None = None
        self.attempts: list[tuple[Deferred[Any], Any]] = []
        self.cancelled = 0

    def connect(self, factory: Any) -> "Deferred[Any]":
        """Connect, or wait for the test to `open` or to fail the attempt."""
        attempt: Deferred[Any] = Deferred(self._cancel)
        self.attempts.append((attempt, factory))
        if self.refusal is not None:
            attempt.errback(self.refusal)
        elif not self.held:
            self.open()
        return attempt

    def _cancel(self, _: "Deferred[Any]") -> None:
        self.cancelled += 1

    def open(self) -> None:
        """Let the latest attempt succeed."""
        attempt, factory = self.attempts[-1]
        line = Line(factory.buildProtocol(None))
        self.lines.append(line)
        attempt.callback(line.protocol)


class Upstream:
    """An Agent over an Exchange, with a clock."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.exchange = Exchange()
        self.agent = Agent(self.clock, lambda uri: self.exchange, ClientLimits(**limits))

    @property
    def line(self) -> Line:
        """The latest connection."""
        return self.exchange.lines[-1]

    def ask(self, method: bytes = b"GET", headers: Any = None, body: Any = None, path: bytes = b"/") -> Any:
        """Send a request; gives what the agent gives."""
        return self.agent.request(method, b"http://upstream.test" + path, headers, body)

    def wait(self, seconds: float) -> None:
        """Let time pass, swept once a second."""
        for _ in range(round(seconds)):
            self.clock.advance(1)
            self.agent.sweep()


class Receiver:
    """Takes a response's body; `ended` is the reason, once there is one."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.ended: Any = None
        self.transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """The response itself."""
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        """One part."""
        assert self.ended is None, "data behind the end"
        self.parts.append(data)

    def connectionLost(self, reason: Failure) -> None:
        """The end, once."""
        assert self.ended is None, "ended twice"
        self.ended = reason.value

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.parts)


def receive(response: Any) -> Receiver:
    """Take the body of `response`."""
    receiver = Receiver()
    response.deliverBody(receiver)
    return receiver


async def until(reactor: Any, condition: Callable[[], bool]) -> None:
    """Let the reactor turn until something is so; trial's own time-out ends what never comes."""
    while not condition():
        turn: Deferred[None] = Deferred()
        reactor.callLater(0, turn.callback, None)
        await turn
