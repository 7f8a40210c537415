"""Heads that come again: which are the same, and how many are remembered."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.headers import RawHeaders, lowered
from agentgateway.wire.heads import KEPT, LONGEST, MOST_FIELDS, Head, Heads

FIELDS = b"Host: a\r\nX-Agent-Id: writer\r\nAccept: */*\r\n"


def post(body: bytes, path: bytes = b"/v1/messages", more: bytes = b"") -> bytes:
    """A request as an SDK sends it."""
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n%b\r\n%b" % (path, FIELDS, len(body), more, body)


def learned(data: bytes, heads: Heads | None = None) -> Head | None:
    """What is remembered of the head of a valid request."""
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    method, uri, _ = lines[0].split(b" ")
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines[1:])]
    return (Heads() if heads is None else heads).learn(data, method, uri, RawHeaders(fields, lowered(fields)))


class HeadsTests(SynchronousTestCase):
    """What counts as the same head."""

    def test_again(self) -> None:
        """Of a request with the same head and another body, whatever its length, it is told where that is."""
        head = learned(post(b"one"))
        assert head is not None
        self.assertEqual(head.uri, b"/v1/messages")
        for body in (b"", b"one", b"three", b"x" * 4000):
            data = post(body)
            self.assertEqual(head.begins(data), (len(body), len(data) - len(body)))
            self.assertEqual(head.begins(data[: len(data) - len(body)]), (len(body), len(data) - len(body)))

    def test_not_again(self) -> None:
        """Anything else is read from the beginning: other fields, part of a head, no number."""
        head, usual = learned(post(b"one")), post(b"two")
        assert head is not None
        for other in (
            usual[:-4],
            usual[:9],
            usual.replace(b"writer", b"reader"),
            usual.replace(b": 3\r\n", b": 03\r\nX: y\r\n"),
            usual.replace(b": 3\r\n", b": +3\r\n"),
            usual.replace(b": 3\r\n", b": 3 \r\n"),
            usual.replace(b": 3\r\n", b": \r\n"),
            usual.replace(b": 3\r\n", b": 3\n"),
            usual.replace(b": 3\r\n", b": 3, 3\r\n"),
            usual.replace(b": 3\r\n", b": \xb2\r\n"),
            usual.replace(b": 3\r\n", b": 000000003\r\n"),
            b"\r\n" + usual,
            b"",
        ):
            self.assertIsNone(head.begins(other), other)

    def test_not_remembered(self) -> None:
        """Long heads are not, and those without a length."""
        self.assertIsNone(learned(post(b"one", more=b"A: " + b"b" * LONGEST + b"\r\n")))
        self.assertIsNone(learned(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))

    def test_many_fields(self) -> None:
        """Nor are those with more fields than an SDK sends: small ones take twenty times the memory of their bytes."""
        self.assertIsNotNone(learned(post(b"one", more=b"a:\r\n" * (MOST_FIELDS - 4))))
        self.assertIsNone(learned(post(b"one", more=b"a:\r\n" * (MOST_FIELDS - 3))))

    def test_another_request(self) -> None:
        """A head is not remembered as another request's."""
        data = post(b"one")
        headers = RawHeaders([(b"Content-Length", b"3")], {b"content-length": b"3"})
        other = RawHeaders([(b"Content-Length", b"4")], {b"content-length": b"4"})
        self.assertIsNone(Heads().learn(data, b"PUT", b"/v1/messages", headers))
        self.assertIsNone(Heads().learn(data, b"POST", b"/v1/messages", other))
        self.assertIsNone(Heads().learn(b"\r\n" + data, b"POST", b"/v1/messages", headers))

    def test_forgotten(self) -> None:
        """Of what was forgotten, bytes that no head has say nothing either."""
        head = learned(post(b"one"))
        assert head is not None
        head.forget()
        self.assertIsNone(head.begins(b"3\rabc"))

    def test_bounded(self) -> None:
        """So many are remembered; one that was pushed out is nobody's any more, and nothing of it is kept."""
        heads = Heads()
        first = learned(post(b"one"), heads)
        assert first is not None
        for number in range(KEPT):
            learned(post(b"one", b"/%d" % number), heads)
        self.assertIsNone(first.begins(post(b"one")))
        self.assertEqual((first.uri, first.headers.pairs()), (b"", ()))

    def test_cleared(self) -> None:
        """After a reload all are learned anew."""
        heads = Heads()
        head = learned(post(b"one"), heads)
        assert head is not None
        heads.clear()
        self.assertIsNone(head.begins(post(b"one")))
        self.assertIsNot(learned(post(b"one"), heads), head)
