"""Questions and answers as bytes."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import News
from agentgateway.stores.live.messages import Desk, heard, split
from tests.stores.live.asking import START, asking


class MessageTests(SynchronousTestCase):
    """What a process writes and reads."""

    def test_turns(self) -> None:
        """Each question says who asks, in which run, and comes after the one before."""
        desk = Desk("one", 7)
        questions = [msgspec.msgpack.decode(desk.sync([asking(START)])) for _ in range(3)]
        self.assertEqual([question[:5] for question in questions], [["one", 7, turn, 0, ""] for turn in (1, 2, 3)])
        self.assertNotEqual(questions[0][5], questions[1][5])

    @given(st.text(max_size=20), st.binary(max_size=100), st.none() | st.integers(0, 2**53))
    def test_told(self, agent: str, body: bytes, at: int | None) -> None:
        """What is told is heard, whatever it is."""
        _, payload, kept = Desk("one", 1).tell("standing", agent, body, at)
        self.assertEqual(heard(b"12 " + payload), News(12, "standing", agent, "one", body, at or 0))
        self.assertEqual(kept, body)

    @given(st.lists(st.binary(max_size=50), max_size=20))
    def test_split(self, messages: list[bytes]) -> None:
        """Messages in one text come apart where they were put together."""
        self.assertEqual(list(split(b"".join(b"%d:%s" % (len(one), one) for one in messages))), messages)
