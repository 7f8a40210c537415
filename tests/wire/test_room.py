"""What bodies take together."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire import body, room
from agentgateway.wire.errors import NoRoom


class RoomTests(SynchronousTestCase):
    """A room shared by the bodies of one server."""

    def setUp(self) -> None:
        """A small room."""
        self.room = room.Room()
        self.patch(room, "ROOM", 200_000)

    def large(self) -> body.IncomingBody:
        """A body of which 100,000 bytes have come and are wanted."""
        incoming = body.IncomingBody(100_000, lambda paused: None, self.room)
        self.wanted = incoming.arrived()
        for _ in range(10):
            incoming.feed(b"x" * 10_000)
        return incoming

    def test_full(self) -> None:
        """Where it is full a large body fails, a small one does not, and what is let go makes room."""
        first, second, third = self.large(), self.large(), self.large()
        fourth = body.IncomingBody(100_000, lambda paused: None, self.room)
        failed = self.wanted
        fourth.feed(b"x" * 10_000)
        fourth.feed(b"x" * 10_000)
        self.assertTrue(fourth.unfinished)
        self.failureResultOf(failed, NoRoom)
        self.assertFalse(third.unfinished)
        self.assertTrue(first.unfinished and second.unfinished)
        first.end()
        first.take()
        self.large()
        self.assertNoResult(self.wanted)

    def test_large_give_way(self) -> None:
        """Large bodies have half of the room; the one that takes more fails, and small ones have the rest."""
        self.patch(room, "SMALL", 70_000)
        first = self.large()
        second = body.IncomingBody(100_000, lambda paused: None, self.room)
        wanted = second.arrived()
        second.feed(b"x" * 10_000)
        second.feed(b"x" * 20_000)
        second.feed(b"x" * 40_000)
        self.assertNoResult(wanted)
        second.feed(b"x")
        self.failureResultOf(wanted, NoRoom)
        self.assertTrue(first.unfinished)

    def test_given_back(self) -> None:
        """Taken, failed or abandoned: the room is free again."""
        for let_go in (body.IncomingBody.take, body.IncomingBody.abandon, self.fail_it):
            incoming = self.large()
            self.assertEqual(self.room.used, 90_000)
            let_go(incoming)
            del incoming, self.wanted
            self.assertEqual(self.room.used, 0)

    def fail_it(self, incoming: body.IncomingBody) -> None:
        """The body fails."""
        incoming.fail(NoRoom("no room"))
        self.failureResultOf(self.wanted, NoRoom)

    def test_a_large_limit(self) -> None:
        """Where one body may be larger than the room there is room for two of them."""
        incoming = body.IncomingBody(300_000, lambda paused: None, self.room)
        wanted = incoming.arrived()
        for _ in range(29):
            incoming.feed(b"x" * 10_000)
        self.assertNoResult(wanted)
