"""twisted.web's own requests, so that the proxy also serves as a plain resource in anybody's site."""

from typing import Any

from twisted.web.http_headers import Headers


class StockRequest:
    """A `twisted.web.server.Request` with the ways to end an answer that the wire's own requests have."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    @property
    def responseHeaders(self) -> Headers:
        """The fields of the answer; all of them are set at once."""
        headers: Headers = self._request.responseHeaders
        return headers

    @responseHeaders.setter
    def responseHeaders(self, headers: Headers) -> None:
        self._request.responseHeaders = headers

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
