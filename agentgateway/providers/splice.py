"""Changing one member of a JSON object without touching another byte of it.

A body is never decoded and written again: that would change white space, number formats, key order and duplicate keys,
and with them caches and signatures. Members are found by walking the text; keys are compared decoded, so
`"\\u006dodel"` is `"model"`; of duplicate keys all are changed, whichever of them the provider's parser listens to.
"""

import json
import re
from collections.abc import Iterator, Sequence

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_KEY = re.compile(rb"[ \t\n\r,]*(" + _STRING + rb")[ \t\n\r]*:[ \t\n\r]*", re.DOTALL)
_ATOM = re.compile(_STRING + rb"|[^ \t\n\r,}\]]++", re.DOTALL)
_NEST = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_EMPTY = re.compile(rb"[ \t\n\r]*\}")


def put(body: bytes, path: Sequence[str], value: bytes) -> bytes:
    """The JSON object `body` with the member at `path` set to the JSON text `value`.

    Objects missing on the way, or null, are made; a missing member is written at the front. Where something that is no
    object stands in the way the body is left as it is: the provider will say what it thinks of that.
    """
    head, rest = path[0], path[1:]
    spans = [(start, end) for start, end in members(body, head)]
    if not spans:
        return _insert(body, head, _nested(rest, value))
    for start, end in reversed(spans):
        old = body[start:end]
        if rest and old != b"null" and not old.startswith(b"{"):
            continue
        new = put(old, rest, value) if rest and old != b"null" else _nested(rest, value)
        body = body[:start] + new + body[end:]
    return body


def members(body: bytes, name: str) -> Iterator[tuple[int, int]]:
    """Where the values of the members called `name` of the JSON object `body` stand: (start, end) of each."""
    if name.encode() not in body and b"\\" not in body:
        return
    at = body.find(b"{") + 1
    while (key := _KEY.match(body, at)) is not None:
        start = key.end()
        at = _end_of_value(body, start)
        if at < 0:
            return
        if _text(key[1]) == name:
            yield start, at


def _end_of_value(body: bytes, start: int) -> int:
    """Where the value at `start` ends; -1 where the text ends before."""
    if body[start : start + 1] not in (b"{", b"["):
        atom = _ATOM.match(body, start)
        return -1 if atom is None else atom.end()
    depth = 0
    for token in _NEST.finditer(body, start):
        sign = token[0]
        if sign in (b"{", b"["):
            depth += 1
        elif sign in (b"}", b"]"):
            depth -= 1
            if not depth:
                return token.end()
    return -1


def _text(key: bytes) -> object:
    """A JSON string, quotes and all, as text."""
    if b"\\" not in key:
        return key[1:-1].decode("utf-8", "replace")
    try:
        return json.loads(key)
    except ValueError:
        return None


def _nested(path: Sequence[str], value: bytes) -> bytes:
    """`value` inside an object for each name of `path`."""
    for key in reversed(path):
        value = b"{" + json.dumps(key).encode() + b":" + value + b"}"
    return value


def _insert(body: bytes, key: str, value: bytes) -> bytes:
    """`body` with a member written right behind its opening brace."""
    at = body.find(b"{") + 1
    comma = b"" if _EMPTY.match(body, at) else b","
    return body[:at] + json.dumps(key).encode() + b":" + value + comma + body[at:]
