"""The client as the proxy sees it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from agentgateway.wire.agent import MAX_ORIGINS, Agent
from agentgateway.wire.body import IncomingBody
from agentgateway.wire.endpoints import make_endpoint
from agentgateway.wire.errors import UpstreamBroken
from agentgateway.wire.headers import RawHeaders
from agentgateway.wire.outgoing import StreamedBody, WholeBody
from agentgateway.wire.pool import ClientLimits
from agentgateway.wire.server import Limits, Server
from tests.wire.doubles import Caller, Receiver, Site, Upstream, receive, until
from tests.wire.test_request_reader import fields

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RequestTests(SynchronousTestCase):
    """What goes out."""

    def test_one_write(self) -> None:
        """Head and body leave together, fields as given, the length by the body."""
        upstream = Upstream()
        upstream.ask(b"POST", RawHeaders([(b"x-A", b"1")]), WholeBody(b"abc"), b"/v1?a=b")
        self.assertEqual(
            upstream.line.wire.taken(),
            b"POST /v1?a=b HTTP/1.1\r\nHost: upstream.test\r\nx-A: 1\r\nContent-Length: 3\r\n\r\nabc",
        )

    def test_without_a_body(self) -> None:
        """GET says nothing of a body, POST says that it is empty; a Host that is given stays."""
        upstream = Upstream()
        upstream.ask(b"GET", Headers({b"host": [b"other.test"]}), path=b"")
        self.assertEqual(upstream.line.wire.taken(), b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
        upstream.ask(b"POST")
        self.assertIn(b"Content-Length: 0\r\n", upstream.line.wire.taken())

    def test_origins_are_kept_apart(self) -> None:
        """A connection is used for its own origin only."""
        upstream = Upstream()
        for uri in (b"http://a.test/", b"http://a.test:81/", b"https://a.test/"):
            upstream.agent.request(b"GET", uri)
        self.assertEqual(len(upstream.exchange.attempts), 3)

    def test_origins_are_bounded(self) -> None:
        """More origins than any configuration has are refused."""
        upstream = Upstream()
        for number in range(MAX_ORIGINS):
            upstream.agent.request(b"GET", b"http://%d.test/" % number)
        self.assertRaises(ValueError, upstream.agent.request, b"GET", b"http://one.more/")


class RetryTests(SynchronousTestCase):
    """A kept connection may turn out to be dead, and only then is a request sent again."""

    def kept(self) -> Upstream:
        """An upstream with one idle connection."""
        upstream = Upstream()
        asked = upstream.ask()
        upstream.line.say(OK)
        receive(self.successResultOf(asked))
        return upstream

    def test_again_on_a_fresh_one(self) -> None:
        """A body that is all there, or none, goes out again on a fresh connection, once."""
        for body in (None, WholeBody(b"abc")):
            upstream = self.kept()
            asked = upstream.ask(b"POST", None, body)
            upstream.line.hang_up()
            self.assertEqual(len(upstream.exchange.lines), 2)
            first, second = upstream.exchange.lines
            self.assertTrue(first.wire.value().endswith(second.wire.value()))
            upstream.line.say(OK)
            self.assertEqual(receive(self.successResultOf(asked)).body, b"ok")

    def test_once(self) -> None:
        """The fresh connection's failure is final."""
        upstream = self.kept()
        asked = upstream.ask()
        upstream.line.hang_up()
        upstream.line.hang_up()
        self.failureResultOf(asked, UpstreamBroken)
        self.assertEqual(len(upstream.exchange.lines), 2)

    def test_not_after_a_byte(self) -> None:
        """After one byte of an answer nothing is sent again."""
        upstream = self.kept()
        asked = upstream.ask()
        upstream.line.say(b"H")
        upstream.line.hang_up()
        self.failureResultOf(asked, UpstreamBroken)
        self.assertEqual(len(upstream.exchange.lines), 1)

    def test_not_a_stream(self) -> None:
        """A body that passed through cannot be sent again."""
        upstream = self.kept()
        asked = upstream.ask(b"POST", None, StreamedBody(IncomingBody(10, lambda _: None), None))
        upstream.line.hang_up()
        self.failureResultOf(asked, UpstreamBroken)
        self.assertEqual(len(upstream.exchange.lines), 1)

    def test_not_later(self) -> None:
        """A close that comes seconds later is no dead connection's: the upstream may have begun to work."""
        upstream = self.kept()
        asked = upstream.ask()
        upstream.wait(3)
        upstream.line.hang_up()
        self.failureResultOf(asked, UpstreamBroken)
        self.assertEqual(len(upstream.exchange.lines), 1)


class PassageTests(SynchronousTestCase):
    """Through the gateway's two ends, and back."""

    @settings(max_examples=80, deadline=None)
    @given(fields, fields, st.binary(max_size=300), st.binary(max_size=300))
    def test_fields_and_bodies_pass_unchanged(self, asked: Any, answered: Any, body: bytes, reply: bytes) -> None:
        """Any fields and any body pass as they are, order and letter case kept, both ways."""
        upstream = Upstream()
        arrived: list[Any] = []

        def relay(request: Any) -> None:
            request.body.arrived().addCallback(
                lambda _: upstream.ask(request.method, request.requestHeaders, WholeBody(request.body.take()))
            ).addCallback(back, request)

        def back(response: Any, request: Any) -> None:
            arrived.append(response)
            request.setResponseCode(response.code, response.phrase)
            request.responseHeaders = response.headers
            request.finish(receive(response).body)

        caller = Caller(Site(relay))
        lines = [name + b": " + value for name, value in [(b"Host", b"a"), *asked]]
        caller.say(b"\r\n".join([b"POST / HTTP/1.1", *lines, b"Transfer-Encoding: chunked", b"", b""]))
        caller.site.requests[0].requestHeaders = RawHeaders(caller.site.requests[0].requestHeaders.pairs()[:-1])
        caller.say(b"%x\r\n%b\r\n" % (len(body), body) * bool(body) + b"0\r\n\r\n")
        sent = b"\r\n".join([b"POST / HTTP/1.1", *lines, b"Content-Length: %d" % len(body), b"", body])
        self.assertEqual(upstream.line.wire.taken(), sent)
        replied = [name + b": " + value for name, value in answered]
        whole = b"\r\n".join([b"HTTP/1.1 207 So So", *replied, b"content-length: %d" % len(reply), b"", reply])
        upstream.line.say(whole)
        self.assertEqual(caller.wire.taken(), whole)
        self.assertTrue(arrived[0].complete)


class Gauge(Receiver):
    """A slow receiver: pauses after each part and goes on in a later turn; knows how much it got."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self.finished: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Count it, and rest."""
        self.size += len(data)
        self.transport.pauseProducing()
        reactor.callLater(0, self.transport.resumeProducing)

    def connectionLost(self, reason: Any) -> None:
        """The end."""
        self.finished.callback(None)


class Passing(Receiver):
    """Passes a response on to a request, as the gateway does."""

    def __init__(self, request: Any, watch: Any) -> None:
        super().__init__()
        self._request = request
        self._watch = watch

    def makeConnection(self, transport: Any) -> None:
        """Back-pressure first."""
        self._request.registerProducer(transport, True)

    def dataReceived(self, data: bytes) -> None:
        """On it goes."""
        self._request.write(data)
        self._watch()

    def connectionLost(self, reason: Any) -> None:
        """The end."""
        self._request.finish()


class Volume:
    """A streamed body of `size` bytes, made as fast as it is taken."""

    def __init__(self, request: Any, size: int) -> None:
        self._request = request
        self._left = size
        self._paused = False
        request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """Write until told to stop."""
        self._paused = False
        while self._left and not self._paused:
            self._left -= 1 << 16
            self._request.write(bytes(1 << 16))
        if not self._left:
            self._request.finish()

    def pauseProducing(self) -> None:
        """Enough for now."""
        self._paused = True

    def stopProducing(self) -> None:
        """Enough."""


class VolumeTests(TestCase):
    """Hundreds of megabytes, over real sockets, past slow readers."""

    SIZE = 128 << 20

    async def serve(self, accept: Any) -> bytes:
        """A server whose requests go to `accept`; gives its origin."""
        server = Server(reactor, Site(accept), Limits(max_body_bytes=1 << 30))
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(server)
        self.servers.append(server)
        self.addCleanup(port.stopListening)
        return b"http://127.0.0.1:%d" % port.getHost().port

    def setUp(self) -> None:
        self.servers: list[Server] = []
        self.largest = 0
        self.agents = [Agent(reactor, make_endpoint(reactor, 5, None), ClientLimits()) for _ in range(2)]
        self.addCleanup(self.end)

    async def end(self) -> None:
        """Close, and wait until all have heard of it."""
        for agent in self.agents:
            agent.close()
        await until(reactor, lambda: all(agent.counts == (0, 0) for agent in self.agents))
        await until(reactor, lambda: not any(server.channels for server in self.servers))

    def watch(self) -> None:
        """Look at all that is queued anywhere for writing."""
        transports = [channel.transport for server in self.servers for channel in server.channels]
        transports += [
            line.transport for agent in self.agents for pool in agent._pools.values() for line in pool.connections
        ]
        sizes = [len(transport.dataBuffer) + transport._tempDataLen for transport in transports]
        self.largest = max(self.largest, *sizes)

    async def test_download(self) -> None:
        """A response far larger than memory should hold passes a slow caller; what is queued stays small."""
        upstream = await self.serve(lambda request: Volume(request, self.SIZE) and None)

        def relay(request: Any) -> None:
            asked = self.agents[1].request(b"GET", upstream + b"/")
            asked.addCallback(lambda response: response.deliverBody(Passing(request, self.watch)))

        gateway = await self.serve(relay)
        gauge = Gauge()
        response = await self.agents[0].request(b"GET", gateway + b"/")
        response.deliverBody(gauge)
        await gauge.finished
        self.assertEqual(gauge.size, self.SIZE)
        self.assertLess(self.largest, 1 << 20)

    async def test_upload(self) -> None:
        """A request's body as well, past a slow upstream."""
        sizes: list[int] = []

        class Sink:
            def __init__(self, request: Any) -> None:
                self._request = request
                request.body.stream_to(self).addCallback(lambda _: request.finish())

            def write(self, data: bytes) -> None:
                sizes.append(len(data))
                self._request.body.pause(True)
                reactor.callLater(0, self._request.body.pause, False)

        def relay(request: Any) -> None:
            self.watch()
            asked = self.agents[1].request(b"POST", upstream + b"/", None, StreamedBody(request.body, None))
            asked.addCallback(lambda response: response.deliverBody(Passing(request, self.watch)))

        upstream = await self.serve(lambda request: Sink(request) and None)
        gateway = await self.serve(relay)
        body = Flood(self.SIZE, self.watch)
        response = await self.agents[0].request(b"POST", gateway + b"/", None, body)
        gauge = Gauge()
        response.deliverBody(gauge)
        await gauge.finished
        self.assertEqual((response.code, sum(sizes)), (200, self.SIZE))
        self.assertLess(self.largest, 1 << 20)


@implementer(IBodyProducer)
class Flood:
    """A request body of `length` bytes, written as fast as it is taken."""

    def __init__(self, length: int, watch: Any) -> None:
        self.length = length
        self._left = length
        self._watch = watch
        self._done: Deferred[None] = Deferred()
        self._consumer: Any = None
        self._paused = False

    def startProducing(self, consumer: Any) -> "Deferred[None]":
        """Begin."""
        self._consumer = consumer
        reactor.callLater(0, self.resumeProducing)
        return self._done

    def resumeProducing(self) -> None:
        """Write until told to stop."""
        self._paused = False
        while self._left and not self._paused:
            self._left -= 1 << 16
            self._consumer.write(bytes(1 << 16))
            self._watch()
        if not self._left and not self._done.called:
            self._done.callback(None)

    def pauseProducing(self) -> None:
        """Enough for now."""
        self._paused = True

    def stopProducing(self) -> None:
        """Enough."""
        self._left = 0
