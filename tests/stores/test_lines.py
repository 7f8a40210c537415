"""The journal's format on disk."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.journal import Counted, Released, Reserved, Settled
from agentgateway.domain.standing import Caps, Pause, Standing
from agentgateway.stores.lines import decode_event, encode_event

text = st.text(st.characters(exclude_categories=["Cs"]))
money = st.integers(0, 2**63 - 1)
moment = st.floats(0, 10**11)
caps = st.builds(Caps, *[st.one_of(st.none(), money)] * 3)
pauses = st.builds(Pause, st.sampled_from(["budget", "policy", "operator"]), text, moment, st.one_of(st.none(), moment))
changes = st.one_of(
    st.builds(Reserved, text, text, money),
    st.builds(Settled, text, text, money, moment),
    st.builds(Released, text, text),
    st.builds(Counted, text, moment, st.booleans(), money, money),
    st.builds(Standing, text, st.one_of(st.none(), pauses), st.one_of(st.none(), caps)),
)


class LinesTests(SynchronousTestCase):
    """An event a line."""

    @given(st.lists(changes))
    def test_round_trip(self, event):
        """Whatever an event holds it is one line, and the same again when read."""
        line = encode_event(event)
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        self.assertEqual(decode_event(line), event)

    def test_format(self):
        """The names and order of fields are fixed: files of older versions are read for ever."""
        event = [
            Reserved("a", "c", 5, 0.5),
            Settled("a", "c", 4, 1.5, 1, 0, 2, 3),
            Released("a", "c"),
            Counted("a", 2.0, True, 1, 2),
            Standing("a", Pause("budget", "day", 1.0, None), Caps(1, None, None), 7, 8),
        ]
        line = (
            b'[["hold","a","c",5,0.5],["settle","a","c",4,1.5,1,0,2,3],["free","a","c"],["count","a",2.0,true,1,2],'
            b'["standing","a",{"by":"budget","reason":"day","since":1.0,"until":null},'
            b'{"max_cost_per_hour":1,"max_cost_per_day":null,"max_cost_total":null},7,8]]\n'
        )
        self.assertEqual(json.loads(encode_event(event)), json.loads(line))
        self.assertEqual(decode_event(line), event)

    def test_older(self):
        """Versions that did not say since when a call holds its money, what it counts, or when a word was said, are read."""
        self.assertEqual(decode_event(b'[["hold","a","c",5]]\n'), [Reserved("a", "c", 5, 0.0)])
        self.assertEqual(decode_event(b'[["settle","a","c",4,1.5]]\n'), [Settled("a", "c", 4, 1.5)])
        self.assertEqual(decode_event(b'[["standing","a",null,null]]\n'), [Standing("a", None, None, 0, 0)])

    @given(st.binary(max_size=40))
    def test_garbage(self, data):
        """What is no event raises ValueError and nothing else."""
        try:
            decode_event(data)
        except ValueError:
            pass
        for line in (
            b"{}",
            b'[["hold",["a","c"]]]',
            b'[["hold",["a","c",5,6]]]',
            b'[["hold",["a","c",true]]]',
            b'[["?",[]]]',
        ):
            self.assertRaises(ValueError, decode_event, line)
