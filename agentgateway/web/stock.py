"""twisted.web's own requests, so that the proxy also serves as a plain resource in anybody's site."""

from collections.abc import Sequence
from typing import Any

from agentgateway.wire.headers import Field, RawHeaders


class StockRequest:
    """A `twisted.web.server.Request` with the ways to end an answer that the wire's own requests have."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    def head(self, code: int, phrase: bytes | None, fields: Sequence[Field], sized: bool) -> None:
        """The head of the answer, which goes out with the first of its body."""
        self._request.setResponseCode(code, phrase)
        self._request.responseHeaders = RawHeaders(fields)

    def finish(self, last: bytes = b"") -> None:
        """End the answer, with `last` as the last of its body."""
        self._request.write(last)
        self._request.finish()

    def break_off(self, last: bytes = b"") -> None:
        """Close behind `last` without ending the answer."""
        self._request.write(last)
        if self._request.producer is not None:
            self._request.unregisterProducer()
        self._request.loseConnection()
