"""Tests of changing one member of a JSON object in place."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.splice import members, put

NAMES = st.sampled_from(["model", "stream_options", "include_usage", "max_tokens", "messages", 'q"uote', "ünï", "a\\b"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


@st.composite
def spelled(draw: st.DrawFn, value: object) -> str:
    """A JSON text of `value` with white space and escapes as odd as they may be."""
    space = st.sampled_from(["", "", " ", "\n", "\t", "\r\n  "])

    def text(word: str) -> str:
        if draw(st.booleans()):
            return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in word) + '"'
        return json.dumps(word, ensure_ascii=draw(st.booleans()))

    def spell(item: object) -> str:
        if isinstance(item, dict):
            inner = ",".join(f"{draw(space)}{text(k)}{draw(space)}:{draw(space)}{spell(v)}" for k, v in item.items())
            return "{" + inner + draw(space) + "}"
        if isinstance(item, list):
            return "[" + ",".join(draw(space) + spell(each) for each in item) + draw(space) + "]"
        return text(item) if isinstance(item, str) else json.dumps(item)

    return draw(space) + spell(value) + draw(space)


class Putting(SynchronousTestCase):
    """Setting a member."""

    @settings(max_examples=300, deadline=None)
    @given(st.data(), OBJECTS, NAMES)
    def test_one_member(self, data: st.DataObject, body: dict, name: str) -> None:
        """The result is the same object with that one member set, however it is spelled."""
        text = data.draw(spelled(body)).encode("utf-8", "surrogatepass")
        changed = json.loads(put(text, (name,), b"42"))
        self.assertEqual(changed, {**body, name: 42})

    @settings(max_examples=300, deadline=None)
    @given(st.data(), OBJECTS)
    def test_nested_member(self, data: st.DataObject, body: dict) -> None:
        """An object on the way is kept, one that is missing or null is made, anything else is left alone."""
        text = data.draw(spelled(body)).encode("utf-8", "surrogatepass")
        changed = json.loads(put(text, ("stream_options", "include_usage"), b"true"))
        old = body.get("stream_options")
        if old is None or isinstance(old, dict):
            self.assertEqual(changed, {**body, "stream_options": {**(old or {}), "include_usage": True}})
        else:
            self.assertEqual(changed, body)

    def test_nothing_else_changes(self) -> None:
        """Every other byte stays: white space, number formats, order, look-alike keys further in."""
        body = b' { "temperature" : 1.0e0,\n "messages":[{"stream_options":{"include_usage":false}}] , "n":1 } '
        self.assertEqual(
            put(body, ("stream_options", "include_usage"), b"true"),
            b' {"stream_options":{"include_usage":true}, "temperature" : 1.0e0,\n "messages":'
            b'[{"stream_options":{"include_usage":false}}] , "n":1 } ',
        )
        body = b'{"a":"\\"model\\":1","model" : "x" ,"b":2}'
        self.assertEqual(put(body, ("model",), b'"y"'), b'{"a":"\\"model\\":1","model" : "y" ,"b":2}')

    def test_duplicates(self) -> None:
        """Of a key that is given twice both values change, so that it does not matter which one a parser takes."""
        self.assertEqual(put(b'{"n":1,"\\u006e":[2]}', ("n",), b"7"), b'{"n":7,"\\u006e":7}')

    def test_empty_object(self) -> None:
        """An empty object gets its one member without a comma."""
        self.assertEqual(put(b"{ }", ("a", "b"), b"1"), b'{"a":{"b":1} }')

    @given(st.binary(max_size=60))
    def test_what_is_no_json(self, junk: bytes) -> None:
        """Anything at all can be looked through without an error."""
        list(members(b"{" + junk, "a"))
        list(members(junk + b'{"a": [', "a"))
