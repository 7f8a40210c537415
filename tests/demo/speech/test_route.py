"""Tests of which answer a request gets."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.exchange import Request
from agentgateway.demo.speech.route import answer, dialect_of
from tests.demo.doubles import MESSAGE, body_of, said


class RouteTests(SynchronousTestCase):
    """Paths, prefixes and mistakes."""

    def test_prefix(self):
        """Whatever prefix stands before a path, the same answer comes."""
        self.assertEqual(said(b"/some/prefix/v1/messages", MESSAGE), said(b"/v1/messages", MESSAGE))

    def test_probe(self):
        """HEAD / and GET / are answered with nothing but a 200."""
        for method in (b"HEAD", b"GET"):
            self.assertEqual(said(b"/", b"", method=method), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def test_dialects(self):
        """The dialect of an error follows the path, or the header that only one provider's clients send."""
        dialects = [
            dialect_of(Request(b"POST", path, headers))
            for path, headers in (
                (b"/v1/messages", ()),
                (b"/v1/chat/completions", ()),
                (b"/v1beta/models/m:generateContent", ()),
                (b"/v1/models", ((b"anthropic-version", b"2023-06-01"),)),
            )
        ]
        self.assertEqual(dialects, ["anthropic", "openai", "google", "anthropic"])

    def test_mistakes(self):
        """No JSON, wrong types, unknown knobs or no model are a 400; unknown paths a 404; all in the path's dialect."""
        cases = ((b"{", 400), (b'{"model": 7}', 400), (b"{}", 400), (b'{"model": "m;colour=red"}', 400))
        for body, status in cases:
            self.assertEqual(answer(Request(b"POST", b"/v1/messages", (), body))[0].status, status)
        self.assertEqual(answer(Request(b"POST", b"/v1/nothing", (), b'{"model": "m"}'))[0].status, 404)
        self.assertEqual(body_of(said(b"/v1/messages", b"{"))["error"]["type"], "invalid_request_error")
