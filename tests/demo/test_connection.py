"""Tests of one connection to the stand-in, in memory."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.demo.doubles import MESSAGE, Caller, body_of, post


class ConnectionTests(SynchronousTestCase):
    """Requests and answers."""

    def setUp(self):
        """One caller."""
        self.caller = Caller()

    def books(self):
        """What the stand-in says it served."""
        return body_of(Caller(self.caller.standin).send(b"GET /_standin/served HTTP/1.1\r\n\r\n"))

    def test_keeps_the_connection(self):
        """One connection serves one call after the other, the same answer to the same request."""
        first, second = self.caller.send(post(MESSAGE)), self.caller.send(post(MESSAGE))
        self.assertTrue(first.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual(first, second)
        self.assertFalse(self.caller.wire.disconnecting)

    def test_request_in_pieces(self):
        """A request may come a byte at a time."""
        answers = [self.caller.send(bytes([byte])) for byte in post(MESSAGE)]
        self.assertEqual(b"".join(answers), Caller().send(post(MESSAGE)))

    def test_books(self):
        """The stand-in tells what it served: calls, tokens, paths, and each request with its body's size and digest."""
        usage = body_of(self.caller.send(post(MESSAGE)))["usage"]
        books = self.books()
        self.assertEqual(
            (books["calls"], books["input_tokens"], books["output_tokens"], books["paths"]),
            (1, usage["input_tokens"], usage["output_tokens"], {"/v1/messages": 1}),
        )
        self.assertEqual(books["recent"][0]["body_length"], len(json.dumps(MESSAGE)))
        self.assertTrue(books["recent"][0]["finished"])

    def test_caller_leaves(self):
        """Who leaves in the middle of a stream is noted, with what had gone out by then; nothing more is written."""
        self.caller.send(post(MESSAGE | {"stream": True}, chunks=4, interval=1, output=8))
        self.caller.clock.advance(2)
        self.caller.leave()
        record = self.books()["recent"][0]
        self.assertEqual((record["left_at"], record["finished"]), (2.0, False))
        self.assertEqual((record["output_tokens"], self.caller.clock.getDelayedCalls()), (2, []))

    def test_ends(self):
        """Faults end the connection as asked; a caller that says close is taken at its word."""
        self.caller.send(post(MESSAGE, fault="reset-before-head"))
        self.caller.wait(0.1)
        self.assertTrue(self.caller.wire.aborted)
        closing = Caller()
        closing.send(post(MESSAGE).replace(b"host: h", b"connection: close"))
        self.assertTrue(closing.wire.disconnecting)
        silent = Caller()
        self.assertEqual((silent.send(post(MESSAGE, fault="stall")), silent.wire.disconnecting), (b"", False))

    def test_early_413(self):
        """A body can be refused before it is read."""
        head = post(MESSAGE, fault="early-413").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        self.assertTrue(self.caller.send(head).startswith(b"HTTP/1.1 413 "))
        self.assertTrue(self.caller.wire.disconnecting)

    def test_expect(self):
        """Who waits to be told to continue is told."""
        head, _, body = post(MESSAGE).replace(b"host: h", b"expect: 100-continue").partition(b"\r\n\r\n")
        self.assertEqual(self.caller.send(head + b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertTrue(self.caller.send(body).startswith(b"HTTP/1.1 200 OK"))

    def test_no_http(self):
        """What is no HTTP gets a 400 and an end."""
        self.assertTrue(self.caller.send(b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 "))
        self.assertTrue(self.caller.wire.disconnecting)

    def test_no_pipelining(self):
        """A second request before the answer to the first ends the connection: nobody should do that to a provider."""
        self.caller.send(post(MESSAGE, delay=1) + post(MESSAGE))
        self.assertTrue(self.caller.wire.disconnecting)

    def test_head_too_long(self):
        """Headers without end are not collected without end."""
        self.caller.send(b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 200_000 + b"\r\n")
        self.caller.send(b"a: " + b"b" * 200_000 + b"\r\n")
        self.assertTrue(self.caller.wire.disconnecting)
