"""Tests of the values between the stand-in's parts."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.exchange import Answer, Event, Request


class RequestTests(SynchronousTestCase):
    """A request as it came."""

    def test_reading(self):
        """Path, headers and the digest of the body are to be had."""
        request = Request(b"GET", b"/a/b?c", ((b"x", b"1"), (b"x", b"2")), b"abc")
        self.assertEqual((request.path, request.header(b"x"), request.header(b"y")), (b"/a/b", b"1", None))
        self.assertTrue(request.sha256.startswith("ba7816bf"))


class AnswerTests(SynchronousTestCase):
    """An answer as meant."""

    def test_tokens(self):
        """An answer's output is what its events carry together."""
        self.assertEqual(Answer((Event(b"a", 2), Event(b"b", 3))).output_tokens, 5)
