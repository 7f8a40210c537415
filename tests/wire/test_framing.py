"""The checks on a request's head that llhttp leaves to us."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.errors import BadFraming
from agentgateway.wire.framing import MAX_FIELD_BYTES, MAX_FIELDS, Framing, check_size
from agentgateway.wire.framing import check as check_lowered
from agentgateway.wire.headers import Field, lowered

HOST = (b"Host", b"a")


def check(method: bytes, uri: bytes, version: str, fields: list[Field]) -> Framing:
    """The framing of a head with these fields."""
    return check_lowered(method, uri, version, fields, lowered(fields))


class CheckTests(SynchronousTestCase):
    """What a head says of its body, and which heads are refused."""

    def test_no_body(self) -> None:
        """A request that declares no body has none."""
        self.assertEqual(check(b"GET", b"/", "1.1", [HOST]), Framing(0, False, False))

    def test_length_chunks_expectation_and_upgrade(self) -> None:
        """Length, chunks, Expect and Upgrade are seen in any letter case."""
        self.assertEqual(check(b"POST", b"/", "1.1", [HOST, (b"content-LENGTH", b"7")]).length, 7)
        self.assertIsNone(check(b"POST", b"/", "1.1", [HOST, (b"TRANSFER-encoding", b" Chunked ")]).length)
        expecting = check(b"POST", b"/", "1.1", [HOST, (b"Content-Length", b"7"), (b"expect", b"100-Continue")])
        self.assertTrue(expecting.expects_continue)
        self.assertTrue(check(b"GET", b"/", "1.1", [HOST, (b"UPGRADE", b"h2c")]).upgrade)

    def test_an_expectation_without_a_body_or_in_old_http_is_none(self) -> None:
        """Where there is no body to wait for, or the caller cannot understand a 100, none is sent."""
        self.assertFalse(check(b"POST", b"/", "1.1", [HOST, (b"Expect", b"100-continue")]).expects_continue)
        old = [HOST, (b"Expect", b"100-continue"), (b"Content-Length", b"1")]
        self.assertFalse(check(b"POST", b"/", "1.0", old).expects_continue)

    def test_hosts(self) -> None:
        """Names, addresses and nothing at all are hosts, with a port or without; anything else is refused."""
        for host in (
            b"",
            b"a",
            b"a.b-c_d:8080",
            b"127.0.0.1:",
            b"[::1]:80",
            b"[fe80::1]",
            b"xn--bcher-kva.example",
            b" a ",
        ):
            self.assertEqual(check(b"GET", b"/", "1.1", [(b"Host", host)]).length, 0, host)
        for host in (
            b"a b",
            b"a/",
            b"a@b",
            b"a,b",
            b":x",
            b"a:1:2",
            b"a:-1",
            b"[a",
            b"::1",
            b"\xe4",
            b"a\\b",
            b"a?",
            b"a#",
        ):
            with self.assertRaises(BadFraming, msg=host) as refused:
                check(b"GET", b"/", "1.1", [(b"Host", host)])
            self.assertEqual(refused.exception.status, 400)

    def test_refused(self) -> None:
        """Heads that two parsers could understand in two ways, or that ask for a forward proxy, are refused."""
        for method, uri, version, fields in (
            (b"GET", b"/", "1.1", []),
            (b"GET", b"/", "1.1", [HOST, HOST]),
            (b"GET", b"/", "1.0", [HOST, HOST]),
            (b"GET", b"/", "2.0", [HOST]),
            (b"GET", b"/", "0.9", []),
            (b"GET", b"http://a/", "1.1", [HOST]),
            (b"GET", b"*", "1.1", [HOST]),
            (b"CONNECT", b"/", "1.1", [HOST]),
            (b"GET", b"/a/../b", "1.1", [HOST]),
            (b"GET", b"/a/%2E%2e/b", "1.1", [HOST]),
            (b"GET", b"/a/.%2e", "1.1", [HOST]),
            (b"GET", b"/./b", "1.1", [HOST]),
            (b"GET", b"/a#b", "1.1", [HOST]),
            (b"POST", b"/", "1.1", [HOST, (b"Transfer-Encoding", b"gzip, chunked")]),
            (b"POST", b"/", "1.1", [HOST, (b"Transfer-Encoding", b"identity")]),
            (b"POST", b"/", "1.1", [HOST, (b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")]),
            (b"POST", b"/", "1.0", [HOST, (b"Transfer-Encoding", b"chunked")]),
        ):
            with self.subTest(method=method, uri=uri, version=version, fields=fields):
                refused = self.assertRaises(BadFraming, check, method, uri, version, fields)
                self.assertEqual(refused.status, 400)

    def test_dots_that_are_no_segments_pass(self) -> None:
        """Dots in names, in the query, and OPTIONS * are ordinary."""
        for method, uri in ((b"GET", b"/.well-known/x"), (b"GET", b"/a..b/v1.5"), (b"GET", b"/a?p=/../b")):
            check(method, uri, "1.1", [HOST])
        check(b"OPTIONS", b"*", "1.1", [HOST])


class CheckSizeTests(SynchronousTestCase):
    """The limits on a head."""

    def test_within(self) -> None:
        """What is just within each limit passes."""
        check_size(b"/", [(b"a", b"b")] * MAX_FIELDS, 0, 65_536)
        check_size(b"/" * MAX_FIELD_BYTES, [(b"a", b"b" * (MAX_FIELD_BYTES - 1))], MAX_FIELD_BYTES, 65_536)
        check_size(b"/", [], 0, 65_536)

    def test_beyond(self) -> None:
        """Too many fields, a field or a target that is too long, and a head that is too long in all are 431."""
        for uri, fields, pending, limit in (
            (b"/", [(b"a", b"b")] * (MAX_FIELDS + 1), 0, 65_536),
            (b"/", [(b"a", b"b" * MAX_FIELD_BYTES)], 0, 65_536),
            (b"/" * (MAX_FIELD_BYTES + 1), [], 0, 65_536),
            (b"/", [], MAX_FIELD_BYTES + 1, 65_536),
            (b"/", [(b"a", b"b" * 60)], 40, 101),
        ):
            refused = self.assertRaises(BadFraming, check_size, uri, fields, pending, limit)
            self.assertEqual(refused.status, 431)
