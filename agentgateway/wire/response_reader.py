"""Responses out of bytes: the llhttp half of a client's connection, with the limits on what an upstream may send."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol

from agentgateway.wire.errors import WireError
from agentgateway.wire.framing import MAX_FIELDS
from agentgateway.wire.headers import Field, RawHeaders, lowered
from agentgateway.wire.response import Response

if TYPE_CHECKING:
    from agentgateway.wire.connection import Connection


class ResponseReader(Protocol):
    """Parses one response; the base of Connection.

    `_response` is there as soon as its head is complete; `_chunks` is what a segment brought of its body.
    """

    def __init__(self) -> None:
        self._parser: Any = None
        self._response: Response | None = None
        self._head_only = False
        self._until_close = False
        self._kept_alive = False
        self._clear_head()

    def _clear_head(self) -> None:
        self._fields: list[Field] = []
        self._phrase = b""
        self._barren = 0
        self._chunks: list[bytes] = []

    # what llhttp tells

    def on_message_begin(self) -> None:
        if self._response is not None:  # a response that nobody asked for, behind the one that was
            self._until_close = True

    def on_status(self, phrase: bytes) -> None:
        self._phrase += phrase

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is None:  # and not a trailer
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        if self._response is not None:
            raise WireError("a second response")
        if len(self._fields) > MAX_FIELDS:
            raise WireError("too many header fields")
        if code < 200:  # 100 Continue, 103 Early Hints: information about an answer still to come
            if code < 100 or code == 101:
                raise WireError("a status code that was not asked for")
            self._fields, self._phrase = [], b""
            return
        bodiless = self._head_only or code in (204, 304)
        names = lowered(self._fields)
        length, chunked = framing(names)
        self._until_close = not (bodiless or chunked) and length is None
        connection: Connection = self  # type: ignore[assignment]
        self._response = Response(
            connection, code, self._phrase, RawHeaders(self._fields, names), 0 if bodiless else length
        )
        if bodiless:
            self._response.complete = True
            self._kept_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if self._head_only:
            self._until_close = True  # llhttp does not know of HEAD, and neither did the upstream
        else:
            self._chunks.append(data)

    def on_message_complete(self) -> None:
        if self._response is not None:
            self._response.complete = True
            self._kept_alive = self._parser.should_keep_alive()  # llhttp forgets it after this


def framing(lowered: Mapping[bytes, bytes]) -> tuple[int | None, bool]:
    """(declared length, chunked) of a response; contradictions llhttp has refused. Raises WireError on a coding."""
    coding = lowered.get(b"transfer-encoding")
    if coding is not None:
        if coding.strip().lower() != b"chunked":
            raise WireError("a transfer coding that was not asked for")
        return None, True
    length = lowered.get(b"content-length")
    return None if length is None else int(length), False
