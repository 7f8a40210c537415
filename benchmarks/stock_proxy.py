"""The yardstick: a reverse proxy as Twisted's own parts make it, with no feature beyond passing calls on.

A twisted.web `Site` in front, treq over Twisted's `Agent` with a pool behind, answers relayed with back-pressure. The
pool keeps as many connections as Twisted's does by itself, which is two, or as many as are said.

    python benchmarks/stock_proxy.py LISTENING_PORT http://127.0.0.1:UPSTREAM_PORT [KEPT_CONNECTIONS]
"""

import sys

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"host", b"content-length")
)


class Relay(Protocol):
    """An answer's body on its way to the caller."""

    def __init__(self, request):
        self.request = request

    def connectionMade(self):
        """The caller's reading paces the provider's sending."""
        self.request.registerProducer(self.transport, True)

    def dataReceived(self, data):
        """Pass on one piece."""
        self.request.write(data)

    def connectionLost(self, reason):
        """The answer is through."""
        self.request.unregisterProducer()
        if not self.request._disconnected:
            self.request.finish()


class Proxy(Resource):
    """Every path, to the upstream."""

    isLeaf = True

    def __init__(self, upstream, kept=HTTPConnectionPool.maxPersistentPerHost):
        super().__init__()
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost = kept
        pool.retryAutomatically = False
        self.client = HTTPClient(Agent(reactor, pool=pool))
        self.upstream = upstream

    def render(self, request):
        """Send the call on; the answer follows."""
        headers = request.requestHeaders.copy()
        for name in HOP_BY_HOP:
            headers.removeHeader(name)
        sent = self.client.request(
            request.method.decode(),
            self.upstream + request.uri.decode(),
            headers=headers,
            data=request.content.read() or None,
            allow_redirects=False,
            unbuffered=True,
        )
        sent.addCallback(self.relay, request).addErrback(self.failed, request)
        return NOT_DONE_YET

    def relay(self, response, request):
        """Head first, then the body piece by piece."""
        request.setResponseCode(response.code)
        for name, values in response.headers.getAllRawHeaders():
            if name.lower() not in HOP_BY_HOP:
                request.responseHeaders.setRawHeaders(name, values)
        if isinstance(response.original.length, int):
            request.setHeader(b"content-length", b"%d" % response.original.length)
        response.original.deliverBody(Relay(request))

    def failed(self, failure, request):
        """The upstream did not answer."""
        if not request._disconnected:
            request.setResponseCode(502)
            request.finish()


if __name__ == "__main__":
    site = Site(Proxy(sys.argv[2], *map(int, sys.argv[3:])))
    site.noisy = False
    reactor.listenTCP(int(sys.argv[1]), site, backlog=4096, interface="127.0.0.1")
    reactor.run()
