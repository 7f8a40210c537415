"""A stand-in within reach of a test: in memory on a clock, or on a real port for the official clients."""

import json

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from agentgateway.demo.exchange import Request
from agentgateway.demo.standin import StandIn, speak

MESSAGE = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hello there"}]}


class Wire(StringTransport):
    """A connection in memory that remembers how it was ended."""

    noDelay = False
    aborted = False

    def setTcpNoDelay(self, enabled):
        """As a TCP transport has it."""
        self.noDelay = enabled

    def abortConnection(self):
        """A reset."""
        self.aborted = True


class Caller:
    """One connection to a stand-in on a clock; `standin.now` is that clock's."""

    def __init__(self, standin=None, **options):
        self.clock = Clock()
        self.standin = standin or StandIn(self.clock, now=self.clock.seconds, **options)
        self.wire = Wire()
        self.connection = self.standin.buildProtocol(None)
        self.connection.makeConnection(self.wire)

    def send(self, data):
        """Write bytes; returns all that came back since the last look."""
        self.connection.dataReceived(data)
        return self.look()

    def look(self):
        """What came back since the last look."""
        received = self.wire.value()
        self.wire.clear()
        return received

    def wait(self, seconds):
        """Let time go by; returns what came back."""
        self.clock.advance(seconds)
        return self.look()

    def leave(self):
        """Close the connection from the caller's side."""
        self.connection.connectionLost(Failure(ConnectionDone()))


def post(body, path="/v1/messages", **knobs):
    """The bytes of a call."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    extra = "".join(f"x-standin-{name}: {value}\r\n" for name, value in knobs.items())
    extra += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n"
    return f"POST {path} HTTP/1.1\r\nhost: h\r\n{extra}\r\n".encode() + data


def said(path, body, headers=(), method=b"POST"):
    """The wire bytes of the answer to one request, all steps together."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = speak(Request(method, path, tuple(headers), data))
    return b"".join(step.data for step in reply.steps)


def body_of(answer):
    """The JSON body of an answer that is not chunked."""
    return json.loads(answer.partition(b"\r\n\r\n")[2])


class Served(TestCase):
    """A stand-in on a real port of this machine, for clients that block in a thread."""

    async def serve(self, function):
        """Run `function(base_url)` in a thread beside a listening stand-in; returns what it returns."""
        self.standin = StandIn(reactor)
        port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(self.standin)
        try:
            return await deferToThread(function, f"http://127.0.0.1:{port.getHost().port}")
        finally:
            await port.stopListening()
            await self.standin.hang_up()
