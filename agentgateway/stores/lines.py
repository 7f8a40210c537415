"""The journal's lines: one JSON array an event, of one array a change, as in ``[["settle","writer","c1",1200,1.5]]``.

A line is whole or it is not there, so the changes of an event survive together. Names and order of fields are a format on
disk: a new kind of change is a new tag (see `domain.journal` and `domain.standing`).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from agentgateway.interfaces import Change

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[Change]).decode


def encode_event(changes: Sequence[Change]) -> bytes:
    """The line of one event, with its end."""
    return _encode(changes) + b"\n"


def decode_event(line: bytes) -> list[Change]:
    """The changes of a line. Raises ValueError for what is no such line."""
    return _decode(line)
