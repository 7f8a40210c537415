"""Tests of how the stand-in decides what to say."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.knobs import Knobs
from agentgateway.demo.turn import Asked, take_turn

TOOL = {"name": "look_up", "input_schema": {"properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}


class TurnTests(SynchronousTestCase):
    """Text, tokens and tools of one turn."""

    @given(st.integers(0, 500), st.integers(1, 50), st.integers(0, 3000))
    def test_adds_up(self, output, chunks, size):
        """Pieces are as many as asked, and their tokens and characters add up to what was asked."""
        turn = take_turn(Asked(), "m", b"{}", Knobs(output=output, chunks=chunks, bytes=size))
        self.assertEqual((len(turn.pieces), turn.output_tokens, len(turn.text)), (chunks, output, size))

    def test_input(self):
        """Input is a token for four bytes of body, at least one."""
        self.assertEqual(take_turn(Asked(), "m", b"x" * 403, Knobs()).input_tokens, 100)
        self.assertEqual(take_turn(Asked(), "m", b"", Knobs()).input_tokens, 1)

    def test_limit(self):
        """A caller that limits the output gets no token more, and is told that it was cut."""
        turn = take_turn(Asked(max_tokens=5), "m", b"", Knobs())
        self.assertEqual((turn.output_tokens, turn.cut), (5, True))
        self.assertFalse(take_turn(Asked(max_output_tokens=500), "m", b"", Knobs()).cut)

    def test_tool(self):
        """Asked to use the tool, it calls the first one with arguments that fit its schema."""
        turn = take_turn(Asked(tools=[TOOL]), "m", b"Please USE the tool", Knobs())
        self.assertEqual(turn.tool, "look_up")
        self.assertEqual(msgspec.json.decode(turn.text), {"city": "Paris", "days": 7})

    def test_no_loop_of_tools(self):
        """With a tool's result in the conversation, or unasked, it talks instead of calling again."""
        self.assertIsNone(take_turn(Asked(tools=[TOOL]), "m", b"use the tool ... tool_result", Knobs()).tool)
        self.assertIsNone(take_turn(Asked(tools=[TOOL]), "m", b"hello", Knobs()).tool)

    def test_usage_faults(self):
        """Usage can be left out, or be nonsense."""
        counts = {"input_tokens": 1, "output_tokens": 2}
        usages = [
            take_turn(Asked(), "m", b"", Knobs(fault=f)).usage("usage", counts) for f in ("", "no-usage", "odd-usage")
        ]
        self.assertEqual(usages, [{"usage": counts}, {}, {"usage": {"input_tokens": -7, "output_tokens": "many"}}])
