"""What processes that share a fleet tell each other, as bytes."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import LARGEST_CAP, MOST, Ask, Grant, caps_body, caps_told


class LeaseTests(SynchronousTestCase):
    """Values that go over the wire."""

    def test_caps(self) -> None:
        """An operator's caps are read as they were written; none at all is nothing."""
        for caps in ((1, None, 3), (None, None, None), None):
            self.assertEqual(caps_told(caps_body(caps)), caps)
        self.assertRaises(msgspec.MsgspecError, caps_told, b"\xc1")

    def test_exact(self) -> None:
        """The largest cap is exact as a number of Lua."""
        self.assertLess(LARGEST_CAP, MOST)
        self.assertEqual(int(float(MOST)), MOST)

    def test_handed_back(self) -> None:
        """What is known of the gone goes back to where it came from as it came."""
        gone = msgspec.msgpack.encode([["one", {"life": [0, 1]}]])
        grant = ("a", False, 0, *((0,) * 5,) * 3, 0, 0, ())
        read = msgspec.msgpack.decode(msgspec.msgpack.encode((*grant, msgspec.Raw(gone))), type=Grant)
        ask = Ask("a", (None, None, None), (0, 1), (0, 1), *((0,) * 5,) * 3, 0, 0, 0, gone=read.gone)
        self.assertEqual(msgspec.msgpack.decode(msgspec.msgpack.encode(ask))[-1], msgspec.msgpack.decode(gone))
