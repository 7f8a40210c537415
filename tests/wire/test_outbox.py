"""What leaves when: in order, together, behind what has to be written down."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.outbox import DIRECT, MOST, Outbox


class OutboxTests(SynchronousTestCase):
    """A turn is a step of the clock."""

    def setUp(self) -> None:
        """All that happens, in order."""
        self.happened: list[object] = []
        self.clock = Clock()
        self.outbox = Outbox(self.clock, lambda: self.happened.append("written down"))

    def send(self, data: bytes) -> None:
        """A socket."""
        self.happened.append(data)

    def test_order(self) -> None:
        """Nothing leaves within the turn; at its end the books are written once, then everything leaves in order."""
        for data in (b"1", b"2", b"3"):
            self.outbox.put(self.send, data)
        self.assertEqual(self.happened, [])
        self.clock.advance(0)
        self.assertEqual(self.happened, ["written down", b"1", b"2", b"3"])
        self.clock.advance(1)
        self.assertEqual(len(self.happened), 4)

    def test_nothing_to_send(self) -> None:
        """Books that asked are written at the turn's end, also where nothing leaves."""
        self.outbox.ask()
        self.outbox.ask()
        self.clock.advance(0)
        self.assertEqual(self.happened, ["written down"])

    def test_early(self) -> None:
        """What precedes the end of a connection leaves before it."""
        self.outbox.put(self.send, b"last words")
        self.outbox.flush()
        self.assertEqual(self.happened, ["written down", b"last words"])

    def test_a_long_turn(self) -> None:
        """Others are given work meanwhile; their books are written first."""
        for number in range(MOST + 1):
            self.outbox.put(self.send, b"%d" % number)
        self.assertEqual(self.happened, ["written down", *(b"%d" % number for number in range(MOST))])
        self.clock.advance(0)
        self.assertEqual(self.happened[-2:], ["written down", b"%d" % MOST])

    def test_more_while_sending(self) -> None:
        """What sending brings about leaves behind it."""
        self.outbox.put(lambda data: self.outbox.put(self.send, data + b"!"), b"first")
        self.outbox.put(self.send, b"second")
        self.clock.advance(0)
        self.assertEqual(self.happened[:4], ["written down", b"second", "written down", b"first!"])

    def test_direct(self) -> None:
        """Without an outbox everything leaves at once."""
        DIRECT.put(self.send, b"now")
        DIRECT.flush()
        self.assertEqual(self.happened, [b"now"])
