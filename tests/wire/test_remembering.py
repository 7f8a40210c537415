"""Connections whose heads come again: what is remembered of them changes nothing that anybody can see."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import server
from twisted.web.resource import Resource

from agentgateway.wire.body import IncomingBody
from agentgateway.wire.heads import PATIENCE
from agentgateway.wire.remembering import LARGEST
from tests.wire.doubles import Caller, Site, hello, hello_when_whole
from tests.wire.test_heads import post


def seen(site: Site) -> list[Any]:
    """All that reached the site."""
    return [
        (one.method, one.uri, _passed(one.requestHeaders.pairs()), one.length, one.body.take()) for one in site.requests
    ]


def _passed(fields: Any) -> list[Any]:
    return [field for field in fields if field[0].lower() != b"content-length"]


class ConnectionTests(SynchronousTestCase):
    """Connections whose heads come again."""

    def test_shared(self) -> None:
        """What one connection has learned holds for another with the same head, from its first request on."""
        site = Site(hello)
        first = Caller(site)
        second = Caller(site, first.clock, first.server)
        for caller in (first, second, first, second):
            self.assertIn(b"200 OK", caller.say(post(b"one")))
        parsed, *known = [request.requestHeaders for request in site.requests]
        for headers in known:
            self.assertIs(headers, known[0])
            self.assertIsNot(headers, parsed)
        self.assertEqual(known[0].pairs(), _passed(parsed.pairs()))

    def test_in_pieces(self) -> None:
        """Many clients send the head first and the body after it, and a long body comes in pieces: it is the same head."""
        caller = Caller(Site(hello_when_whole))
        body = b"0123456789" * 100
        data = post(body)
        start = len(data) - len(body)
        for cuts in ([start], [start], [start + 1, start + 500], [len(data) - 1]):
            ends = [*cuts, len(data)]
            said = [caller.say(data[begin:end]) for begin, end in zip([0, *cuts], ends, strict=True)]
            self.assertEqual(said[:-1], [b""] * len(cuts))
            self.assertIn(b"200 OK", said[-1])
        self.assertEqual([request.body.take() for request in caller.site.requests], [body] * 4)
        _, *known = [request.requestHeaders for request in caller.site.requests]
        for headers in known:
            self.assertIs(headers, known[0])

    def test_large(self) -> None:
        """A long body is read as if its head were new, in memory that is given back as ever."""
        caller = Caller(Site(hello_when_whole))
        for _ in range(3):
            data = post(b"x" * (LARGEST + 1))
            caller.say(data[:60_000])
            self.assertIn(b"200 OK", caller.say(data[60_000:]))
        self.assertEqual(len(caller.server.heads), 0)
        self.assertEqual(len({id(request.requestHeaders) for request in caller.site.requests}), 3)

    def test_pipelined(self) -> None:
        """What comes behind the rest of a body, in one segment with it, is the next request."""
        caller = Caller(Site(hello_when_whole))
        caller.say(post(b"one"))
        caller.say(post(b"second")[:-3])
        self.assertEqual(caller.say(post(b"second")[-3:] + post(b"three", b"/c")).count(b"200 OK"), 2)
        self.assertEqual([request.uri for request in caller.site.requests], [b"/v1/messages"] * 2 + [b"/c"])

    def test_behind_a_close(self) -> None:
        """Behind a request that ends the connection no head is known."""
        caller = Caller(Site(hello_when_whole))
        caller.say(post(b"first")[:-3])
        caller.site.reply = None  # the answer takes its time
        caller.say(post(b"first")[-3:] + post(b"two", more=b"Connection: close\r\n"))
        for _ in range(3):
            caller.say(post(b"three"))
        self.assertLessEqual(len(caller.channel._queue), 1)

    def test_no_memory(self) -> None:
        """A body that cannot be kept is a refusal behind a known head, too, not a lost connection."""

        def fail(body: IncomingBody, data: bytes) -> None:
            raise MemoryError

        caller = Caller(Site(hello_when_whole))
        caller.say(post(b"one"))
        caller.say(post(b"second")[:-3])
        self.patch(IncomingBody, "feed", fail)
        self.assertIn(b" 400 ", caller.say(post(b"second")[-3:]))
        self.assertEqual(caller.site.faults, [])

    def test_expect(self) -> None:
        """Callers who wait to be asked for the body are asked each time."""
        caller = Caller(Site(hello_when_whole))
        data = post(b"one", more=b"Expect: 100-continue\r\n")
        for _ in range(3):
            self.assertIn(b"100 Continue", caller.say(data[:-3]))
            self.assertIn(b"200 OK", caller.say(data[-3:]))

    def test_heads_that_differ(self) -> None:
        """A caller that says something new in each head costs no memory: after a few nothing is learned."""
        caller = Caller(Site(hello))
        for number in range(3 * PATIENCE):
            caller.say(post(b"one", more=b"X-Request-Id: %d\r\n" % number))
        self.assertEqual(len(caller.server.heads), PATIENCE)

    def test_one_behind_the_other(self) -> None:
        """Of requests that came in one segment none lends its head to what comes later."""
        caller = Caller(Site(hello))
        caller.say(post(b"one", b"/a") + post(b"two", b"/b"))
        caller.say(post(b"one", b"/a"))
        caller.say(post(b"one", b"/a"))
        self.assertEqual([request.uri for request in caller.site.requests], [b"/a", b"/b", b"/a", b"/a"])

    def test_patience_comes_back(self) -> None:
        """A caller whose head does come again may change it more often than one whose never does."""
        caller = Caller(Site(hello))
        for number in range(3 * PATIENCE):
            for _ in range(2):
                caller.say(post(b"one", b"/%d" % number))
        self.assertEqual(len(caller.server.heads), 3 * PATIENCE)

    def test_old_http(self) -> None:
        """Callers who speak HTTP/1.0 and keep their connection are answered in it, however often the head comes."""
        caller = Caller(Site(lambda request: request.finish(b"hello")))
        data = b"POST /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\none"
        self.assertNotIn(b"chunked", caller.say(data))
        self.assertEqual(len(caller.server.heads), 0)

    def test_management(self) -> None:
        """A resource that changes a request's fields does not change those of the next request with the same head."""
        caller = Caller(Site(hello))
        for _ in range(2):
            caller.say(post(b"one"))
        request = caller.site.requests[-1]
        kept = request.requestHeaders
        request.process_by(server.Site(Resource()))
        request.requestHeaders.setRawHeaders(b"x-agent-id", [b"another"])
        caller.say(post(b"one"))
        self.assertIs(caller.site.requests[-1].requestHeaders, kept)
        self.assertEqual(kept.getRawHeaders(b"x-agent-id"), [b"writer"])

    def test_body_limit(self) -> None:
        """A body beyond the limit is refused behind a remembered head, too."""
        caller = Caller(Site(hello_when_whole), max_body_bytes=10)
        self.assertIn(b"200 OK", caller.say(post(b"one")))
        self.assertIn(b" 400 ", caller.say(post(b"x" * 11)))

    def test_close_still_closes(self) -> None:
        """A head that ends the connection is not taken for one that comes again, nor served behind."""
        caller = Caller(Site(hello))
        caller.say(post(b"one"))
        said = caller.say(post(b"two", more=b"Connection: close\r\n"))
        self.assertIn(b"Connection: close", said)
        self.assertTrue(caller.wire.closed)
        self.assertEqual(caller.say(post(b"three")), b"")


@st.composite
def segments(draw: Any) -> list[bytes]:
    """Requests of one caller as they may arrive: usual ones, cut, joined, and damaged in any place."""
    usual = st.builds(
        post, st.sampled_from([b"one", b"three"]) | st.binary(max_size=30), st.sampled_from([b"/a", b"/b"])
    )
    parts: list[bytes] = []
    for _ in range(draw(st.integers(1, 6))):
        data = draw(usual)
        kind = draw(st.sampled_from(["whole", "whole", "whole", "cut", "damaged", "joined"]))
        at = draw(st.integers(0, len(data) - 1))
        if kind == "cut":
            cuts = [0, *sorted([at, draw(st.integers(0, len(data)))]), len(data)]
            parts += [data[begin:end] for begin, end in itertools.pairwise(cuts)]
        elif kind == "damaged":
            length = draw(st.integers(0, 2))
            parts.append(
                data[:at] + draw(st.binary(max_size=3) | st.sampled_from([b"\r\n", b"0", b" "])) + data[at + length :]
            )
        else:
            parts.append(data + draw(usual) if kind == "joined" else data)
    return [part for part in parts if part]


class PropertyTests(SynchronousTestCase):
    """Whatever a caller sends."""

    @settings(max_examples=300, deadline=None)
    @given(segments(), st.booleans())
    def test_nothing_changes(self, parts: list[bytes], knowing: bool) -> None:
        """A connection that remembers heads sees the same requests, and answers the same, as one that does not."""
        remembering, forgetful = Caller(Site(hello_when_whole)), Caller(Site(hello_when_whole))
        if knowing:  # of another connection
            Caller(remembering.site, remembering.clock, remembering.server).say(post(b"one", b"/a"))
            remembering.site.requests.clear()
        forgetful.channel._patience = 0
        for part in parts:
            self.assertEqual(remembering.say(part), forgetful.say(part))
            self.assertEqual(remembering.wire.closed, forgetful.wire.closed)
        self.assertEqual(seen(remembering.site), seen(forgetful.site))
        self.assertEqual(remembering.site.faults, forgetful.site.faults)
