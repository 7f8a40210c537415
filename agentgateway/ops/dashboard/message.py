"""One message of the dashboard, for as many viewers as there are."""

import zlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

RECENT: Final = 100
"""Records, and alerts, in one message."""
PIECE: Final = 16_384
"""Bytes compressed in one step."""

encode = msgspec.json.Encoder().encode


class Message:
    """One message for many viewers: made once, compressed at most once."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.payload: bytes = encode(content)
        self.deflated: bytes | None = None
        """As RFC 7692 sends it, referring to nothing before; there after `deflate`."""

    def deflate(self) -> Iterator[None]:
        """Compress, a piece a step."""
        squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
        pieces = []
        for start in range(0, len(self.payload), PIECE):
            pieces.append(squeeze.compress(self.payload[start : start + PIECE]))
            yield
        pieces.append(squeeze.flush(zlib.Z_SYNC_FLUSH)[:-4])
        self.deflated = b"".join(pieces)
