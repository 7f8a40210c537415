"""Turns of the reactor: what comes is read, what fails is logged and ends one connection, and a turn has an end."""

import socket
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.polling import at_turns_end, install


class Hearing(Protocol):
    """Keeps what it hears; fails at `bad`."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: str | None = None

    def dataReceived(self, data: bytes) -> None:
        """More."""
        self.heard += data
        if b"bad" in data:
            raise RuntimeError("a mistake")

    def connectionLost(self, reason: Any) -> None:
        """The end."""
        self.lost = reason.type.__name__


class PollingTests(SynchronousTestCase):
    """A reactor of its own, turned by hand."""

    def setUp(self) -> None:
        """It listens."""
        self.reactor = EPollReactor()
        install(self.reactor)
        self.made: list[Hearing] = []
        self.port = self.reactor.listenTCP(0, Factory.forProtocol(self.make), interface="127.0.0.1")
        self.addCleanup(self.turn)
        self.addCleanup(self.port.stopListening)

    def make(self) -> Hearing:
        """One more connection."""
        self.made.append(Hearing())
        return self.made[-1]

    def turn(self, turns: int = 3) -> None:
        """Some turns, none of which waits long."""
        for _ in range(turns):
            self.reactor.iterate(0.02)

    def caller(self) -> socket.socket:
        """Somebody who has connected."""
        caller = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        self.addCleanup(caller.close)
        self.turn()
        return caller

    def test_read_and_lost(self) -> None:
        """What callers send arrives, and so does their leaving, in peace or by a reset."""
        first, second = self.caller(), self.caller()
        first.sendall(b"one")
        second.sendall(b"two")
        self.turn()
        self.assertEqual([hearing.heard for hearing in self.made], [b"one", b"two"])
        first.close()
        second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        second.close()
        self.turn()
        self.assertEqual([hearing.lost for hearing in self.made], ["ConnectionDone", "ConnectionLost"])

    def test_written(self) -> None:
        """What does not fit into a socket at once goes out as it has room."""
        caller = self.caller()
        caller.setblocking(False)
        self.made[0].transport.write(b"x" * 5_000_000)
        got = 0
        while got < 5_000_000:
            self.turn(1)
            try:
                got += len(caller.recv(1 << 20))
            except BlockingIOError:
                continue
        self.assertEqual(got, 5_000_000)

    def test_a_mistake(self) -> None:
        """A protocol that raises loses its connection, with a line in the log; others in the same turn go on."""
        first, second = self.caller(), self.caller()
        first.sendall(b"bad")
        second.sendall(b"good")
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.made[0].lost, "RuntimeError")
        self.assertEqual((self.made[1].heard, self.made[1].lost), (b"good", None))

    def test_end_of_a_turn(self) -> None:
        """What is to be done at the end is done once, after all that came, what it asks for as well, and errors stop none."""
        done: list[object] = []
        at_end = at_turns_end(self.reactor)

        def fail() -> None:
            raise ValueError("another mistake")

        def more() -> None:
            done.append([hearing.heard for hearing in self.made])
            at_end(lambda: done.append("more"))

        first, second = self.caller(), self.caller()
        self.made[0].dataReceived = lambda data: (at_end(fail), at_end(more))  # type: ignore[method-assign,assignment]
        first.sendall(b"one")
        second.sendall(b"two")
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(done, [[b"", b"two"], "more"])

    def test_end_of_timers(self) -> None:
        """What timers ask for is done before the turn waits for anything to come."""
        done: list[str] = []
        caller = self.caller()
        self.made[0].dataReceived = lambda data: done.append("read")  # type: ignore[method-assign]
        self.reactor.callLater(0, lambda: at_turns_end(self.reactor)(lambda: done.append("end")))
        caller.sendall(b"one")
        self.turn()
        self.assertEqual(done, ["end", "read"])

    def test_scheduled_at_the_end(self) -> None:
        """What is scheduled there does not wait for the next event."""
        done: list[str] = []
        later = self.reactor.callLater
        later(0, lambda: at_turns_end(self.reactor)(lambda: later(0, done.append, "late")))
        self.reactor.runUntilCurrent()
        self.reactor.doIteration(3600)
        self.reactor.runUntilCurrent()
        self.assertEqual(done, ["late"])

    def test_other_reactors(self) -> None:
        """One that has no such turns does it in its next one."""
        clock, done = Clock(), []
        install(clock)
        at_turns_end(clock)(lambda: done.append(1))
        self.assertEqual(done, [])
        clock.advance(0)
        self.assertEqual(done, [1])
