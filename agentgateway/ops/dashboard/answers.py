"""What the dashboard's port answers with: files of the page, and JSON, now or later."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from agentgateway.ops.dashboard.actions import CannotDo

_log = Logger("agentgateway")
_HEADERS: Final = (
    (
        b"Content-Security-Policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
)


def protect(request: Any) -> None:
    """The headers that every answer has."""
    request.responseHeaders.removeHeader(b"Server")
    for name, value in _HEADERS:
        request.setHeader(name, value)


class Asset(Resource):
    """One file of the page, held in memory; open to all, since it says nothing of this gateway."""

    isLeaf = True

    def __init__(self, content: bytes, type_: bytes, tag: bytes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._content, self._type, self._tag = content, type_, tag

    def render_GET(self, request: Any) -> bytes:
        """The file, or 304."""
        protect(request)
        request.setHeader(b"Cache-Control", b"no-cache")
        request.setHeader(b"Content-Type", self._type)
        if request.setETag(self._tag):
            return b""
        return self._content


class Answer(Resource):
    """JSON from a function of the request; CannotDo becomes an error, `{"error": {"code", "message"}}`."""

    isLeaf = True

    def __init__(self, method: bytes, answer: Callable[[Any], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.allowedMethods = (method, b"HEAD") if method == b"GET" else (method,)
        self._answer = answer

    def render(self, request: Any) -> Any:
        """Answer, now or later, or 405."""
        protect(request)
        if request.method not in self.allowedMethods:
            request.setResponseCode(405)
            request.setHeader(b"Allow", b", ".join(self.allowedMethods))
            return b""
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Type", b"application/json")
        try:
            content = self._answer(request)
        except CannotDo as problem:
            return msgspec.json.encode(_told(request, problem))
        if not isinstance(content, Coroutine):
            return msgspec.json.encode(content)
        work = Deferred.fromCoroutine(content)
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addCallbacks(lambda found: _finish(request, found), lambda failure: _failed(request, failure))
        return NOT_DONE_YET


def _told(request: Any, problem: CannotDo) -> dict[str, Any]:
    request.setResponseCode(problem.status, {422: b"Unprocessable Content"}.get(problem.status))  # Twisted has none
    return {"error": {"code": problem.status, "message": problem.message}}


def _finish(request: Any, content: object) -> None:
    body = msgspec.json.encode(content)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    if request.method != b"HEAD":
        request.write(body)
    request.finish()


def _failed(request: Any, failure: Failure) -> None:
    """What it cannot do is told; a mistake of ours, too, and logged; a caller that has left is told nothing."""
    if failure.check(CancelledError):
        return
    if not isinstance(failure.value, CannotDo):
        _log.failure("a page of the dashboard failed", failure)
    problem = failure.value if isinstance(failure.value, CannotDo) else CannotDo(500, "the gateway made a mistake")
    _finish(request, _told(request, problem))
