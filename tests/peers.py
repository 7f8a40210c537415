"""The two ends of a call that a test plays itself: an origin behind the gateway, and a caller before it."""

import socket
from collections.abc import Callable
from typing import Any

import attrs
import httptools
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

reactor: Any = _reactor
Field = tuple[bytes, bytes]


@attrs.define
class Received:
    """A request as it reached the origin: fields in order and letter case as they came."""

    method: bytes = b""
    target: bytes = b""
    fields: list[Field] = attrs.Factory(list)
    body: bytearray = attrs.Factory(bytearray)

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a field, by lower-case name."""
        return [value for key, value in self.fields if key.lower() == name]


class Visit(Protocol):
    """One connection of the gateway to the origin."""

    def __init__(self, origin: "Origin") -> None:
        self._origin = origin
        self.closed: Deferred[float] = Deferred()
        """Fires with the time at which the gateway closed it."""

    def connectionMade(self) -> None:
        """It is there."""
        self._parser = httptools.HttpRequestParser(self)
        self.transport.setTcpNoDelay(True)
        self._origin.visits.append(self)

    def dataReceived(self, data: bytes) -> None:
        """Some of a request."""
        self._origin.heard += len(data)
        self._parser.feed_data(data)

    def connectionLost(self, reason: Any = None) -> None:
        """It is gone."""
        self._origin.visits.remove(self)
        self.closed.callback(reactor.seconds())

    def on_message_begin(self) -> None:
        self.request = Received()

    def on_url(self, part: bytes) -> None:
        self.request.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.request.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.request.method = self._parser.get_method()
        self._origin.on_head(self)

    def on_body(self, data: bytes) -> None:
        if self._origin.keeps:
            self.request.body += data

    def on_message_complete(self) -> None:
        self._origin.requests.append(self.request)
        self._origin.script(self, self.request)

    def say(self, *parts: bytes) -> None:
        """Write each part in a turn of the reactor of its own, so that they arrive apart."""
        if parts and self.connected:
            self.transport.write(parts[0])
            reactor.callLater(0, self.say, *parts[1:])


@implementer(IProtocolNegotiationFactory)
class Origin(Factory):
    """A provider: `script(visit, request)` answers each whole request, `on_head(visit)` hears of its head before."""

    noisy = False

    def __init__(
        self,
        script: Callable[[Visit, Received], Any],
        on_head: Callable[[Visit], Any] = lambda visit: None,
        keeps: bool = True,
    ) -> None:
        self.script = script
        self.on_head = on_head
        self.keeps = keeps
        self.requests: list[Received] = []
        self.visits: list[Visit] = []
        self.heard = 0
        """Bytes received."""

    def buildProtocol(self, addr: Any) -> Visit:
        """One more."""
        return Visit(self)

    def acceptableProtocols(self) -> list[bytes]:
        """Over TLS a client that offers protocols is told which."""
        return [b"http/1.1"]


def fixed(answer: bytes) -> Callable[[Visit, Received], None]:
    """A script that gives the same bytes to every request."""
    return lambda visit, request: visit.say(answer)


def response(body: bytes = b"{}", *fields: Field, status: bytes = b"200 OK") -> bytes:
    """A whole response; JSON unless the fields say otherwise."""
    given = fields or ((b"Content-Type", b"application/json"),)
    return head(status, *given, (b"Content-Length", b"%d" % len(body))) + body


def head(first: bytes, *fields: Field) -> bytes:
    """A response's head."""
    return b"HTTP/1.1 " + b"\r\n".join([first, *(name + b": " + value for name, value in fields), b"", b""])


STREAM_HEAD = head(b"200 OK", (b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked"))


def chunk(data: bytes) -> bytes:
    """One chunk; the last one for no data."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def request(method: bytes, target: bytes, body: bytes | None, *fields: Field) -> bytes:
    """A request as a caller sends it; `fields` after Host and Content-Length."""
    length = () if body is None else ((b"Content-Length", b"%d" % len(body)),)
    lines = [name + b": " + value for name, value in ((b"Host", b"gateway.test"), *length, *fields)]
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", *lines, b"", body or b""])


def post(target: bytes, body: bytes, *fields: Field) -> bytes:
    """A POST of a JSON body."""
    return request(b"POST", target, body, (b"Content-Type", b"application/json"), *fields)


@attrs.define
class Answer:
    """What a caller got: `ended` where the HTTP message came to its own end."""

    status: int = 0
    phrase: bytes = b""
    fields: list[Field] = attrs.Factory(list)
    body: bytearray = attrs.Factory(bytearray)
    ended: bool = False

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a field, by lower-case name."""
        return [value for key, value in self.fields if key.lower() == name]

    def one(self, name: bytes) -> str:
        """The value of a field that comes once."""
        [value] = self.all(name)
        return value.decode()


class Caller(Protocol):
    """A caller that says bytes and reads answers; `watch` is called with the answer whenever some of it came."""

    def __init__(self) -> None:
        self.raw = b""
        self.answer = Answer()
        self.interim: list[int] = []
        self.lost = False
        self.closed: Deferred[None] = Deferred()
        self.done: Deferred[Answer] = Deferred()
        self.watch: Callable[[Answer], Any] = lambda answer: None
        self._parser = httptools.HttpResponseParser(self)

    def dataReceived(self, data: bytes) -> None:
        """Some of an answer."""
        self.raw += data
        self._parser.feed_data(data)
        self.watch(self.answer)

    def connectionLost(self, reason: Any = None) -> None:
        """Closed, by whomever."""
        self.lost = True
        self._finish()
        self.closed.callback(None)

    def on_status(self, phrase: bytes) -> None:
        self.answer.phrase += phrase

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.answer.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.answer.body += data

    def on_message_complete(self) -> None:
        if self.answer.status < 200:
            self.interim.append(self.answer.status)
            self.answer = Answer()
            return
        self.answer.ended = True
        self.watch(self.answer)
        self._finish()

    def _finish(self) -> None:
        done, self.done = self.done, Deferred()
        if not done.called:
            done.callback(self.answer)

    def leave(self) -> float:
        """Reset the connection; the time."""
        self.transport.abortConnection()
        return float(reactor.seconds())

    async def ask(self, raw: bytes) -> Answer:
        """Send a request and wait for the end of its answer, or of the connection."""
        self.answer = Answer()
        done = self.done
        self.transport.write(raw)
        answer = await done
        assert isinstance(answer, Answer)
        return answer


async def call_in(testcase: Any, port: int) -> Caller:
    """A caller connected to a port of this machine, gone with the test."""
    caller: Caller = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Caller())

    def leave() -> "Deferred[None] | None":
        if caller.lost:
            return None
        caller.transport.abortConnection()
        return caller.closed

    testcase.addCleanup(leave)
    return caller


async def ask(testcase: Any, port: int, raw: bytes) -> Answer:
    """One request on a connection of its own; the whole answer, or as far as it came."""
    caller = await call_in(testcase, port)
    answer = await caller.ask(raw)
    if not caller.lost:
        caller.transport.loseConnection()
        await caller.closed
    return answer


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def deaf_port(testcase: Any) -> int:
    """A port on which a connection is never made, as its queue is full, until the test ends."""
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(0)
    waiting = [deaf]
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(deaf.getsockname())
        waiting.append(one)
    for one in waiting:
        testcase.addCleanup(one.close)
    return int(deaf.getsockname()[1])
