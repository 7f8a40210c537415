"""Tests of the stand-in's own books."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.exchange import Reply, Request
from agentgateway.demo.served import Served


class ServedTests(SynchronousTestCase):
    """Totals and the last requests."""

    def test_totals(self):
        """Calls, tokens and paths add up over requests, whatever the query."""
        served = Served()
        for target in (b"/a?1", b"/a?2", b"/b"):
            record = served.begin(Request(b"POST", target, (), b"body"), Reply((), status=200, input_tokens=10), 1.0)
            served.wrote(record, 3)
        self.assertEqual((served.calls, served.input_tokens, served.output_tokens), (3, 30, 9))
        self.assertEqual(dict(served.paths), {"/a": 2, "/b": 1})
        self.assertEqual((record.body_length, record.output_tokens, record.status), (4, 3, 200))

    def test_bounded(self):
        """A thousand requests are remembered and a thousand paths told apart, however many come."""
        served = Served()
        for number in range(1200):
            served.begin(Request(b"GET", b"/%d" % number), Reply(()), 0.0)
        self.assertEqual((len(served.recent), len(served.paths), served.paths["(others)"]), (1000, 1001, 200))

    def test_left(self):
        """A peer that leaves in the middle is noted with its time, in the books and with its request."""
        served = Served()
        record = served.begin(Request(b"GET", b"/"), Reply(()), 0.0)
        served.left(record, 4.5)
        self.assertEqual((record.left_at, served.as_json()["left_at"], served.connections_left), (4.5, [4.5], 1))
