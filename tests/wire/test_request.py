"""Writing an answer, and being a twisted.web Request where one is wanted."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.server import Site as WebSite

from agentgateway.wire.headers import RawHeaders
from tests.wire.doubles import Caller, Site

GET = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n"


def asked(data: bytes = GET) -> "tuple[Caller, object]":
    """A caller whose request waits for its answer."""
    caller = Caller(Site())
    caller.say(data)
    return caller, caller.site.requests[0]


class WritingTests(SynchronousTestCase):
    """Heads, chunks, lengths."""

    def test_what_is_known_of_it(self) -> None:
        """Method, target, protocol and fields are as the caller sent them."""
        _, request = asked()
        self.assertEqual((request.method, request.uri, request.clientproto), (b"GET", b"/a?b=c", b"HTTP/1.1"))
        self.assertEqual(request.requestHeaders.pairs(), [(b"Host", b"a"), (b"X-Y", b"z")])
        self.assertEqual(request.length, 0)

    def test_one_write(self) -> None:
        """An answer that is all there goes out in one piece, fields as given."""
        caller, request = asked()
        writes = []
        caller.channel.write = writes.append
        request.setResponseCode(404, b"No Such Thing")
        request.responseHeaders = RawHeaders([(b"x-a", b"1"), (b"Content-length", b"3")])
        request.finish(b"abc")
        self.assertEqual(writes, [b"HTTP/1.1 404 No Such Thing\r\nx-a: 1\r\nContent-length: 3\r\n\r\nabc"])

    def test_chunks(self) -> None:
        """Without a length the body goes out in chunks, one write each, the first with the head."""
        caller, request = asked()
        writes = []
        caller.channel.write = writes.append
        request.write(b"ab")
        request.write(b"")
        request.write(b"c" * 16)
        request.finish(b"d")
        self.assertEqual(
            writes,
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                b"10\r\ncccccccccccccccc\r\n",
                b"1\r\nd\r\n0\r\n\r\n",
            ],
        )

    def test_the_head_alone(self) -> None:
        """Writing nothing sends the head."""
        caller, request = asked()
        request.write(b"")
        self.assertEqual(caller.wire.taken(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        request.finish()
        self.assertEqual(caller.wire.taken(), b"0\r\n\r\n")

    def test_old_http_gets_no_chunks(self) -> None:
        """HTTP/1.0 without a length is ended by closing."""
        caller, request = asked(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        request.write(b"ab")
        request.finish(b"c")
        self.assertEqual(caller.wire.taken(), b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc")
        self.assertTrue(caller.wire.closed)

    def test_no_body_where_none_may_be(self) -> None:
        """HEAD, 204 and 304 have no body, whatever is written, and the connection stays in step."""
        for method, code, length in ((b"HEAD", 200, b"3"), (b"GET", 204, None), (b"GET", 304, b"3")):
            caller, request = asked(GET.replace(b"GET", method))
            request.setResponseCode(code)
            if length is not None:
                request.responseHeaders.setRawHeaders(b"content-length", [length])
            request.write(b"abc")
            request.finish(b"def")
            said = caller.wire.taken()
            self.assertTrue(said.endswith(b"\r\n\r\n"))
            self.assertNotIn(b"chunked", said)
            self.assertFalse(caller.wire.closed)

    def test_broken_off(self) -> None:
        """Breaking off closes without the end of the answer, and the one who waits hears that it did not end."""
        caller, request = asked()
        finished = request.notifyFinish()
        request.write(b"ab")
        request.break_off(b"c")
        self.assertTrue(caller.wire.taken().endswith(b"1\r\nc\r\n"))
        self.assertTrue(caller.wire.closed)
        self.assertNoResult(finished)
        caller.leave()
        self.failureResultOf(finished)

    def test_finished(self) -> None:
        """notifyFinish fires when the answer has ended; what is written behind it goes nowhere."""
        caller, request = asked()
        finished = request.notifyFinish()
        request.finish(b"a")
        self.successResultOf(finished)
        caller.wire.clear()
        request.write(b"b")
        request.finish(b"c")
        request.break_off(b"d")
        self.assertEqual(caller.wire.taken(), b"")

    def test_a_line_break_in_a_field(self) -> None:
        """A field that would break its line is never sent."""
        _, request = asked()
        request.responseHeaders = RawHeaders([(b"a", b"b\r\nSet-Cookie: c")])
        self.assertRaises(ValueError, request.finish)


class Echo(Resource):
    """Says what it was asked."""

    isLeaf = True

    def render(self, request: "object") -> bytes:
        """Path, arguments, body, method."""
        request.setHeader(b"x-a", b"1")
        request.addCookie(b"k", b"v")
        return b"%b %b %b" % (request.path, request.args[b"b"][0], request.content.read())


class Later(Resource):
    """Answers when the test does."""

    isLeaf = True
    request = None

    def render_GET(self, request: "object") -> int:
        """Keep it."""
        self.request = request
        return NOT_DONE_YET


class TreeTests(SynchronousTestCase):
    """A resource tree of twisted.web's kind."""

    def test_rendered(self) -> None:
        """Path, arguments, body, cookies and fields work as in twisted.web."""
        site = WebSite(Echo())
        caller = Caller(Site(lambda request: request.process_by(site)))
        said = caller.say(b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz")
        self.assertTrue(said.endswith(b"/a c xyz"))
        self.assertIn(b"\r\nX-A: 1\r\n", said)
        self.assertIn(b"Set-Cookie: k=v\r\n", said)
        self.assertIn(b"Content-Length: 8\r\n", said)
        self.assertFalse(caller.wire.closed)

    def test_not_found(self) -> None:
        """What is not in the tree is 404, and what a resource cannot do 501."""
        site = WebSite(Resource())
        caller = Caller(Site(lambda request: request.process_by(site)))
        self.assertIn(b"404", caller.say(GET).partition(b"\r\n")[0])
        later = WebSite(Later())
        caller = Caller(Site(lambda request: request.process_by(later)))
        self.assertIn(b"501", caller.say(b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n").partition(b"\r\n")[0])

    def test_head_of_a_resource_that_knows_only_get(self) -> None:
        """HEAD is answered by way of GET, and still without a body."""
        later = Later()
        site = WebSite(later)
        caller = Caller(Site(lambda request: request.process_by(site)))
        caller.say(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        later.request.write(b"a body")
        later.request.finish()
        self.assertNotIn(b"a body", caller.wire.value())
        self.assertTrue(caller.wire.value().endswith(b"\r\n\r\n"))

    def test_requests_do_not_share_fields(self) -> None:
        """A field set on one answer is not on the next."""
        caller = Caller(Site())
        caller.say(GET + GET)
        caller.site.requests[0].setHeader(b"x-secret", b"1")
        caller.site.requests[0].finish()
        caller.wire.clear()
        caller.site.requests[1].finish()
        self.assertNotIn(b"ecret", caller.wire.taken())
