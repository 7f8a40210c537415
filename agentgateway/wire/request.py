"""One request on the server side: a twisted.web `Request` that costs next to nothing until somebody needs all of it.

`proxy` resources use `method`, `uri`, `requestHeaders` (raw pairs), `body`, and the writing half: `head`, `write`,
`finish`, `registerProducer`, `notifyFinish`. For a resource tree (management) `process_by` first does all that
twisted.web's own channel would have done.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.http_headers import Headers

from agentgateway.wire.body import IncomingBody
from agentgateway.wire.headers import Field, RawHeaders, lines, pairs_of

if TYPE_CHECKING:
    from agentgateway.wire.channel import Channel

_NO_BODY = frozenset({204, 304})
_STATUS_LINES: dict[tuple[int, bytes], bytes] = {}


def status_line(code: int, phrase: bytes) -> bytes:
    """`HTTP/1.1 200 OK` and the line's end, kept for the common ones. Raises ValueError on a line break within it."""
    line = _STATUS_LINES.get((code, phrase))
    if line is None:
        if b"\n" in phrase or b"\r" in phrase:
            raise ValueError("a reason phrase with a line break in it")
        line = b"HTTP/1.1 %d %b\r\n" % (code, phrase)
        if len(_STATUS_LINES) < 256:
            _STATUS_LINES[code, phrase] = line
    return line


def _has_length(fields: Sequence[Field]) -> bool:
    return bool([name for name, _ in fields if len(name) == 14 and name.lower() == b"content-length"])


class Request(server.Request):
    """A request as the channel parsed it; `body` is an IncomingBody, `length` its declared length (None: chunked)."""

    channel: "Channel"  # type: ignore[assignment]

    def __init__(
        self,
        channel: "Channel",
        method: bytes,
        uri: bytes,
        version: bytes,
        headers: RawHeaders,
        length: int | None,
        body: IncomingBody,
    ) -> None:
        # Not twisted.web's __init__: process_by calls it for the few requests that need what it builds.
        self.channel = channel
        self.transport = channel.transport
        self.method = method
        self.uri = uri
        self.clientproto = version
        self.requestHeaders = headers
        self.length = length
        self.body = body
        self.keep_alive = True
        self._bare = method == b"HEAD"  # twisted.web calls it GET for a while
        self._fields: Sequence[Field] | None = None
        self._sized = False

    def process_by(self, site: server.Site) -> None:
        """Give this request, its body complete, to a twisted.web resource tree."""
        fields, notifications = self.requestHeaders.copy(), list(self.notifications)
        server.Request.__init__(self, self.channel, parsePOSTFormSubmission=False)
        self.requestHeaders, self.notifications = fields, notifications
        self.content = BytesIO(self.body.take())
        self.parseCookies()  # type: ignore[no-untyped-call]
        self.channel.site = site
        self.requestReceived(self.method, self.uri, self.clientproto)  # type: ignore[no-untyped-call]

    # writing

    def head(self, code: int, phrase: bytes | None, fields: Sequence[Field], sized: bool) -> None:
        """The head of the answer, which goes out with the first of its body; `sized`: a field tells the body's length."""
        self.code = code
        self.code_message = http.RESPONSES.get(code, b"Unknown Status") if phrase is None else phrase
        self._fields, self._sized = fields, sized

    @property
    def responseHeaders(self) -> Headers:
        """The fields of the answer, where `head` does not say them."""
        if self._headers is None:
            self._headers = RawHeaders()
        return self._headers

    @responseHeaders.setter
    def responseHeaders(self, headers: Headers) -> None:
        self._headers = headers

    def write(self, data: bytes) -> None:
        """Send some of the body, with the head in front of it the first time."""
        if self.finished or self._disconnected:
            return
        if not self.startedWriting:
            head = self._start()
            self.channel.write(head + self._framed(data) if data else head)
        elif data and not self._bare:
            self.channel.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def finish(self, last: bytes = b"") -> None:
        """End the response, with `last` as the last of its body, all in one write."""
        if self.finished or self._disconnected:
            return
        parts = [] if self.startedWriting else [self._start()]
        if last:
            parts.append(self._framed(last))
        if self.chunked:
            parts.append(b"0\r\n\r\n")
        if parts:
            self.channel.write(b"".join(parts))
        self._end_writing()
        self._told(None)
        self.channel.requestDone(self)

    def break_off(self, last: bytes = b"") -> None:
        """Close behind `last` without ending the response: the caller cannot take what it has for the whole answer."""
        if last:
            self.write(last)
        if not (self.finished or self._disconnected):
            self._end_writing()
            self.channel.break_off()

    def _end_writing(self) -> None:
        self.finished = 1
        self.gone = None  # it holds the call, which holds this
        if self.producer is not None:  # with one, TLS does not close
            self.unregisterProducer()  # type: ignore[no-untyped-call]

    def _framed(self, data: bytes) -> bytes:
        if self._bare:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data

    def _start(self) -> bytes:
        """The head; decides on chunks and on whether the connection stays."""
        self.startedWriting = 1
        fields, sized, channel, ours = self._fields, self._sized, self.channel, b""
        if fields is None:
            fields = [*pairs_of(self.responseHeaders), *((b"Set-Cookie", cookie) for cookie in self.cookies)]
            sized = _has_length(fields)
        self._bare = self._bare or self.code in _NO_BODY
        # In a response to HEAD a length is information; without one the end of the body has to be told otherwise.
        if not (self._bare or sized):
            if self.clientproto == b"HTTP/1.1":
                self.chunked = 1
                ours = b"Transfer-Encoding: chunked\r\n"
            else:
                channel.persist = False
        if not self.body.complete:
            channel.persist = False
        if not channel.persist:
            ours += b"Connection: close\r\n"
        elif self.clientproto == b"HTTP/1.0":
            ours += b"Connection: keep-alive\r\n"
        return b"%b%b%b\r\n" % (status_line(self.code, self.code_message), lines(fields), ours)

    # the end, whichever comes

    def _told(self, reason: Failure | None) -> None:
        if not self.notifications:
            return
        waiting, self.notifications = self.notifications, []
        for done in waiting:
            if reason is None:
                done.callback(None)
            else:
                done.errback(reason)

    def connectionLost(self, reason: Failure) -> None:
        """The caller went away before the response was complete."""
        self._disconnected = True
        if self.gone is not None:
            self.gone()
        self._told(reason)

    def notifyFinish(self) -> "Deferred[None]":
        """Fires when the response is complete, fails when the caller goes away before."""
        done: Deferred[None] = Deferred()
        self.notifications = [*self.notifications, done]
        return done

    notifications: Sequence["Deferred[None]"] = ()  # type: ignore[assignment]
    cookies: list[bytes] = []
    _headers: Headers | None = None
    gone: Callable[[], None] | None = None
    """Called when the caller goes away before the response is complete: `notifyFinish` without a Deferred."""
