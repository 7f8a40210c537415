"""Tests of the stand-in provider as a whole, and as a process of its own."""

import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import ProcessProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.demo.doubles import MESSAGE, Caller, post


class AnswersTests(SynchronousTestCase):
    """What the factory does for all connections."""

    def test_same_answer(self):
        """The same request gets the same answer on every connection; other knobs get another one."""
        first = Caller()
        plain, short = first.send(post(MESSAGE)), first.send(post(MESSAGE, output=3))
        again = Caller(first.standin)
        self.assertNotEqual(plain, short)
        self.assertEqual((again.send(post(MESSAGE)), again.send(post(MESSAGE, output=3))), (plain, short))

    def test_many_answers(self):
        """However many different requests come, each gets its own answer."""
        caller = Caller()
        answers = {caller.send(post(MESSAGE | {"max_tokens": 1000}, output=number)) for number in range(1, 400)}
        self.assertEqual(len(answers), 399)


class NegotiationTests(SynchronousTestCase):
    """Behind a TLS endpoint."""

    def test_http(self):
        """Clients that offer HTTP/2 as well are told to speak HTTP/1.1."""
        self.assertTrue(IProtocolNegotiationFactory.providedBy(Caller().standin))
        self.assertEqual(Caller().standin.acceptableProtocols(), [b"http/1.1"])


class HangUpTests(SynchronousTestCase):
    """Ending all connections at once."""

    def test_hang_up(self):
        """Hanging up resets every connection and is through when the last is gone; the callers have not left."""
        one = Caller()
        other = Caller(one.standin)
        through = one.standin.hang_up()
        self.assertTrue(one.wire.aborted and other.wire.aborted)
        one.leave()
        self.assertNoResult(through)
        other.leave()
        self.successResultOf(through)
        self.assertEqual(one.standin.served.connections_left, 0)

    def test_nobody_there(self):
        """With nobody connected there is nothing to wait for."""
        caller = Caller()
        caller.leave()
        self.successResultOf(caller.standin.hang_up())


class _Printed(ProcessProtocol):
    """Fires with the first line a process prints, and at its end."""

    def __init__(self):
        self.line, self.ended, self._seen = Deferred(), Deferred(), b""

    def outReceived(self, data):
        self._seen += data
        if b"\n" in self._seen and not self.line.called:
            self.line.callback(self._seen)

    def processEnded(self, reason):
        self.ended.callback(None)


class ProcessTests(TestCase):
    """The stand-in as a program."""

    async def test_prints_its_port(self):
        """Started with port 0 it prints the port it listens on, and ends when it is told to."""
        printed = _Printed()
        command = [sys.executable, "-m", "agentgateway.demo.standin", "--port", "0"]
        env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        process = reactor.spawnProcess(printed, command[0], command, env=env)
        try:
            self.assertGreater(int(await printed.line), 0)
        finally:
            process.signalProcess("TERM")
            await printed.ended
