"""Tests of scripts that give the provider's bytes themselves."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.exchange import End
from agentgateway.demo.scripted import Scripted
from tests.demo.doubles import MESSAGE, Caller, post


class ScriptedTests(SynchronousTestCase):
    """Bytes as the test gives them."""

    def test_bytes_in_their_time(self):
        """The caller sees the test's bytes, cut where the test cuts them, each after its delay, and then the end."""
        caller = Caller(script=Scripted(lambda request: [(b"HTTP/1.1 2", 0), (b"00 OK", 1.5)], End.CLOSE))
        self.assertEqual(caller.send(post(MESSAGE)), b"HTTP/1.1 2")
        self.assertEqual((caller.wait(1.0), caller.wait(0.5)), (b"", b"00 OK"))
        self.assertTrue(caller.wire.disconnecting)

    def test_sees_the_request(self):
        """The script may answer what it was sent."""
        caller = Caller(script=Scripted(lambda request: [(request.method + b" " + request.target + request.body, 0)]))
        self.assertEqual(caller.send(post(b"{}", "/a?b=c")), b"POST /a?b=c{}")
