"""Parsing requests: what passes, what is refused, and that segments do not matter."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.trust.shapes import SMUGGLED
from tests.wire.doubles import Caller, Site, answer, hello, hello_when_whole

HEAD = b"POST /v1 HTTP/1.1\r\nHost: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"

MALFORMED = {
    "both lengths": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, the other way": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "two equal lengths": HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": HEAD + b"Content-Length: +3\r\n\r\nabc",
    "a hexadecimal length": HEAD + b"Content-Length: 0x3\r\n\r\nabc",
    "an empty length": HEAD + b"Content-Length:\r\n\r\n",
    "an endless length": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "gzip, chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, gzip": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    "xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "an empty coding": HEAD + b"Transfer-Encoding:\r\n\r\n",
    "a space before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF in a field": GET + b"A: b\nC: d\r\n\r\n",
    "bare CR in a field": GET + b"A: b\rC: d\r\n\r\n",
    "NUL in a value": GET + b"A: b\x00c\r\n\r\n",
    "NUL in a name": GET + b"A\x00: b\r\n\r\n",
    "a control character": GET + b"A: \x01\r\n\r\n",
    "a folded field": GET + b"A: b\r\n  c\r\n\r\n",
    "a space for a first field": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a field without a name": GET + b": b\r\n\r\n",
    "a field without a colon": GET + b"A\r\n\r\n",
    "a space in a name": GET + b"A b: c\r\n\r\n",
    "no chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
    "a bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a negative chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "a chunk size 0x": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n",
    "a chunk size too large": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "a chunk longer than it says": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "bare LF behind a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
    "bare LF behind a chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n",
    "absolute form": b"GET http://other.test/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority form": b"CONNECT other.test:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT of a path": b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no path": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path upwards": b"GET /v1/../api/status HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path upwards, encoded": b"GET /v1/%2e%2e/api/status HTTP/1.1\r\nHost: a\r\n\r\n",
    "a fragment": b"GET /v1#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes above ASCII in the target": b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "garbage": b"\x00\xff\xfe nonsense\r\n\r\n",
}


class MalformedTests(SynchronousTestCase):
    """Requests that could be understood in two ways are understood in none."""

    def test_each_is_400_and_nobody_sees_it(self) -> None:
        """Each kind of bad framing gets a 400 and a closed connection; the site is never given the request."""
        for what, data in MALFORMED.items():
            with self.subTest(what=what):
                caller = Caller(Site(hello))
                said = caller.say(data)
                self.assertEqual(said[:13], b"HTTP/1.1 400 ", what)
                self.assertIn(b"\r\nConnection: close\r\n", said)
                self.assertTrue(caller.wire.closed)
                self.assertEqual(caller.site.requests, [], what)

    def test_what_stands_before_is_answered(self) -> None:
        """Requests pipelined before a bad one are answered in order; then comes the 400, then the end."""
        for what, data in MALFORMED.items():
            with self.subTest(what=what):
                caller = Caller(Site(hello))
                said = caller.say(GET + b"\r\n" + GET.replace(b"/ ", b"/two ") + b"\r\n" + data)
                self.assertRegex(said, rb"(?s)^HTTP/1.1 200 .*for /HTTP/1.1 200 .*for /twoHTTP/1.1 400 ", what)
                self.assertTrue(caller.wire.closed)

    def test_byte_by_byte(self) -> None:
        """They are refused also where they come a byte at a time; a request seen before its body broke fails."""
        for what, data in MALFORMED.items():
            with self.subTest(what=what):
                site = Site()
                caller = Caller(site)
                for at in range(len(data)):
                    if not caller.wire.closed:
                        caller.channel.dataReceived(data[at : at + 1])
                if site.requests:
                    self.failureResultOf(site.requests[0].body.arrived())
                    answer(site.requests[0], b"", 400)
                self.assertEqual(caller.wire.value()[:13], b"HTTP/1.1 400 ", what)
                self.assertTrue(caller.wire.closed)

    def test_nothing_behind_a_close_is_served(self) -> None:
        """What comes behind a request that asked to close is not looked at; that request is answered."""
        caller = Caller(Site(hello))
        said = caller.say(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")
        self.assertEqual(said.count(b"HTTP/1.1 200 OK"), 1)
        self.assertNotIn(b" 400 ", said)
        self.assertTrue(caller.wire.closed)


class LimitTests(SynchronousTestCase):
    """No head and no body grows without a limit."""

    def refused(self, caller: Caller, data: bytes, segment: int = 1 << 30) -> bytes:
        """Say it in segments until an answer comes."""
        for at in range(0, len(data), segment):
            said = caller.say(data[at : at + segment])
            if said:
                return said
        return b""

    def test_heads(self) -> None:
        """Too long a field, target or head, and too many fields, are 431 whether they come whole or in pieces."""
        for what, data in {
            "a field": GET + b"A: " + b"b" * 17_000 + b"\r\n\r\n",
            "a name": GET + b"A" * 17_000 + b": b\r\n\r\n",
            "a target": b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
            "the number": GET + b"A: b\r\n" * 300 + b"\r\n",
            "the total": GET + (b"A: " + b"b" * 9_000 + b"\r\n") * 8 + b"\r\n",
        }.items():
            for segment in (1 << 30, 65_536, 1_000, 7):
                with self.subTest(what=what, segment=segment):
                    caller = Caller(Site(hello))
                    self.assertEqual(self.refused(caller, data, segment)[:13], b"HTTP/1.1 431 ")
                    self.assertTrue(caller.wire.closed)
                    self.assertEqual(caller.site.requests, [])

    def test_large_heads_within_the_limits(self) -> None:
        """A head just below the limits passes, in pieces of any size, also behind a large body."""
        data = GET + (b"A: " + b"b" * 9_000 + b"\r\n") * 7 + b"\r\n"
        for segment in (1 << 30, 65_536, 1_400, 100):
            caller = Caller(Site(hello))
            body = HEAD + b"Content-Length: 60000\r\n\r\n" + bytes(60_000)
            self.assertIn(b"200 OK", self.refused(caller, body + data, segment))
            self.assertEqual(caller.site.faults, [])

    def test_an_endless_field(self) -> None:
        """A field that never ends is refused when it passes the limit, not when memory is full."""
        caller = Caller(Site(hello))
        caller.say(GET + b"A: ")
        said = b""
        sent = 0
        while not said:
            said = caller.say(b"b" * 1_000)
            sent += 1_000
        self.assertEqual(said[:13], b"HTTP/1.1 431 ")
        self.assertLess(sent, 20_000)

    def test_endless_trailers_and_extensions(self) -> None:
        """Trailers and chunk extensions that never end are refused as well."""
        for opening in (b"0\r\nA: ", b"1;a="):
            caller = Caller(Site())
            caller.say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + opening)
            for _ in range(80):
                caller.say(b"b" * 1_000)
            self.failureResultOf(caller.site.requests[0].body.arrived())
            answer(caller.site.requests[0], b"", 400)
            self.assertTrue(caller.wire.closed)

    def test_nothing_behind_what_is_too_long(self) -> None:
        """What comes behind a request that was too long is not looked at: no answer stands in another's place."""
        caller = Caller(Site(), max_header_bytes=200)
        caller.say(GET + b"\r\n")
        caller.say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        for number in range(10):
            caller.say(b"T%d: " % number + b"x" * 50 + b"\r\n")
        caller.say(b"\r\n")
        caller.say(GET.replace(b"/ ", b"/behind ") + b"\r\n")
        answer(caller.site.requests[0], b"")
        self.assertNotIn(b"/behind", [request.uri for request in caller.site.requests])

    def test_trailers_are_not_passed_on(self) -> None:
        """Trailers are read and dropped."""
        caller = Caller(Site(hello))
        said = caller.say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Agent-Id: b\r\n\r\n")
        self.assertIn(b"200 OK", said)
        self.assertFalse(caller.site.requests[0].requestHeaders.hasHeader(b"x-agent-id"))
        self.assertEqual(caller.site.requests[0].body.take(), b"a")


class UpgradeTests(SynchronousTestCase):
    """Offers to speak another protocol are declined by going on in this one."""

    OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"

    def test_h2c_with_a_body(self) -> None:
        """A POST that offers h2c is served in HTTP/1.1, body and all, in one piece or in many."""
        data = HEAD + self.OFFER + b"Content-Length: 5\r\n\r\nhello" + GET + b"\r\n"
        for segment in (1 << 30, 11, 1):
            caller = Caller(Site(hello_when_whole))
            for at in range(0, len(data), segment):
                caller.channel.dataReceived(data[at : at + segment])
            self.assertEqual(caller.wire.value().count(b"200 OK"), 2)
            first, second = caller.site.requests
            self.assertEqual((first.body.take(), second.uri), (b"hello", b"/"))
            self.assertFalse(caller.wire.closed)

    def test_the_names_in_connection_stay(self) -> None:
        """What Connection names must still be known, because it must not travel on; `close` still closes."""
        caller = Caller(Site(hello))
        caller.say(GET + b"Connection: upgrade, x-agent-id, close\r\nUpgrade: a\r\n\r\n")
        request = caller.site.requests[0]
        self.assertEqual(request.requestHeaders.getRawHeaders(b"connection"), [b"upgrade, x-agent-id, close"])
        self.assertFalse(request.requestHeaders.hasHeader(b"upgrade"))
        self.assertTrue(caller.wire.closed)

    def test_a_thousand_offers_in_one_segment(self) -> None:
        """Many pipelined offers are answered one after the other, without recursion."""
        caller = Caller(Site(hello))
        said = caller.say((GET + b"Connection: upgrade\r\nUpgrade: a\r\n\r\n") * 1_000)
        self.assertEqual(said.count(b"200 OK"), 1_000)


names = st.text("abcXYZ-_09!", min_size=1, max_size=12).map(lambda name: b"x" + name.encode())
values = st.binary(max_size=30).map(
    lambda value: bytes(byte for byte in value if byte >= 32 and byte != 127).strip(b" \t")
)
fields = st.lists(st.tuples(names, values), max_size=12)


@st.composite
def requests(draw: Any) -> tuple[bytes, tuple[Any, ...]]:
    """A valid request as bytes, and what is in it."""
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS"]))
    path = b"/" + draw(st.text("abc/=&?", max_size=10)).encode()
    extra = draw(fields)
    body = draw(st.binary(max_size=200))
    head = [b"%b %b HTTP/1.1" % (method, path), b"Host: a", *(name + b": " + value for name, value in extra)]
    if draw(st.booleans()):
        head.append(b"Transfer-Encoding: chunked")
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
    else:
        head.append(b"Content-Length: %d" % len(body))
        sent = body
    return b"\r\n".join(head) + b"\r\n\r\n" + sent, (method, path, extra, body)


def seen(request: Any) -> tuple[Any, ...]:
    """What arrived of a request, without the fields that frame it."""
    framing = (b"host", b"content-length", b"transfer-encoding")
    rest = [(name, value) for name, value in request.requestHeaders.pairs() if name.lower() not in framing]
    return request.method, request.uri, rest, request.body.take()


class PropertyTests(SynchronousTestCase):
    """For any requests, and any bytes."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(requests(), min_size=1, max_size=4), st.data())
    def test_segments_do_not_matter(self, pipelined: list[tuple[bytes, Any]], data: Any) -> None:
        """However a stream of requests is cut into segments, the same requests come out, and are all answered."""
        stream = b"".join(sent for sent, _ in pipelined)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
        caller = Caller(Site())
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            caller.channel.dataReceived(stream[start:end])
        got = []
        for _ in pipelined:
            request = caller.site.requests[-1]
            got.append(seen(request))
            request.finish()
        self.assertEqual(got, [meant for _, meant in pipelined])
        caller.leave()
        self.assertEqual(caller.server.channels, set())

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_any_bytes(self, data: Any) -> None:
        """Whatever bytes come, nothing raises, nothing is logged, and nothing is left when the caller has gone."""
        stream = b"".join(data.draw(st.lists(chaos, min_size=1, max_size=4)))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
        caller = Caller(Site())
        ends: list[Any] = []

        def reply(request: Any) -> None:
            ends.append(request.notifyFinish().addBoth(lambda _: None))
            ends.append(request.body.arrived().addBoth(lambda _: hello(request)))

        caller.site.reply = reply
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            caller.channel.dataReceived(stream[start:end])
        caller.wait(3)
        caller.leave()
        self.assertEqual(caller.server.channels, set())
        for end in ends:
            self.successResultOf(end)
        self.assertEqual(self.flushLoggedErrors(), [])


@st.composite
def mutated(draw: Any) -> bytes:
    """A valid or a known bad request with a few bytes changed, dropped or put in."""
    base = draw(
        st.one_of(requests().map(lambda pair: pair[0]), st.sampled_from([*MALFORMED.values(), *SMUGGLED.values()]))
    )
    data = bytearray(base)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from(SPLINTERS))
    return bytes(data)


SPLINTERS = [b"", b"\r", b"\n", b"\r\n", b":", b"\x00", b" ", b"9"]
chaos = st.one_of(mutated(), st.binary(max_size=60))
