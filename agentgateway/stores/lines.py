"""The journal's lines: one JSON array an event, of one array a change, as in ``[["settle",["writer","c1",1200,1.5]]]``.

A line is whole or it is not there, so the changes of an event survive together. Names and order of fields are a format on
disk: a new kind of change is a new name.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, get_type_hints

import attrs
import msgspec

from agentgateway.domain.journal import Counted, Released, Reserved, Settled
from agentgateway.domain.standing import Standing
from agentgateway.interfaces import Change

_KINDS: Final[dict[str, type]] = {
    "hold": Reserved,
    "settle": Settled,
    "free": Released,
    "count": Counted,
    "standing": Standing,
}


def _fields_of(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*(field.name for field in attrs.fields(kind)))


def _shape_of(kind: type) -> Any:
    hints = get_type_hints(kind)
    return tuple[tuple(hints[field.name] for field in attrs.fields(kind))]  # type: ignore[misc]


_WRITTEN: Final = {kind: (name, _fields_of(kind)) for name, kind in _KINDS.items()}
_SHAPES: Final = {name: _shape_of(kind) for name, kind in _KINDS.items()}
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[tuple[str, list[Any]]]).decode


def encode_event(changes: Sequence[Change]) -> bytes:
    """The line of one event, with its end."""
    parts = []
    for change in changes:
        name, fields = _WRITTEN[type(change)]
        parts.append((name, fields(change)))
    return _encode(parts) + b"\n"


def decode_event(line: bytes) -> list[Change]:
    """The changes of a line. Raises ValueError for what is no such line."""
    changes: list[Change] = []
    for name, fields in _decode(line):
        if name not in _KINDS:
            raise ValueError(f"an unknown kind of change: {name!r}")
        changes.append(_KINDS[name](*msgspec.convert(fields, _SHAPES[name])))
    return changes
