"""One request on the server side: a twisted.web `Request` that costs next to nothing until somebody needs all of it.

`proxy` resources use `method`, `uri`, `requestHeaders` (raw pairs), `body`, and the writing half: `setResponseCode`,
`responseHeaders`, `write`, `finish`, `registerProducer`, `notifyFinish`. For a resource tree (management) `process_by`
first does all that twisted.web's own channel would have done.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web import server

from agentgateway.wire.body import IncomingBody
from agentgateway.wire.headers import Field, RawHeaders, pairs_of, serialise

if TYPE_CHECKING:
    from agentgateway.wire.channel import Channel

_NO_BODY = frozenset({204, 304})
_STATUS_LINES: dict[tuple[int, bytes], bytes] = {}


def status_line(code: int, phrase: bytes) -> bytes:
    """`HTTP/1.1 200 OK`, kept for the common ones."""
    line = _STATUS_LINES.get((code, phrase))
    if line is None:
        line = b"HTTP/1.1 %d %b" % (code, phrase)
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
        self.responseHeaders = RawHeaders()
        self.notifications = []
        self.length = length
        self.body = body
        self.keep_alive = True
        self._bare = method == b"HEAD"  # twisted.web calls it GET for a while

    def process_by(self, site: server.Site) -> None:
        """Give this request, its body complete, to a twisted.web resource tree."""
        fields, notifications = self.requestHeaders, self.notifications
        server.Request.__init__(self, self.channel, parsePOSTFormSubmission=False)
        self.requestHeaders, self.notifications = fields, notifications
        self.content = BytesIO(self.body.take())
        self.parseCookies()  # type: ignore[no-untyped-call]
        self.channel.site = site
        self.requestReceived(self.method, self.uri, self.clientproto)  # type: ignore[no-untyped-call]

    # writing

    def write(self, data: bytes) -> None:
        """Send some of the body, with the head in front of it the first time."""
        if self.finished or self._disconnected:
            return
        if not self.startedWriting:
            head = self._start()
            self.channel.write(head + self._framed(data) if data else head)
        elif data:
            data = self._framed(data)
            if data:
                self.channel.write(data)

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
        fields = list(pairs_of(self.responseHeaders))
        if self.cookies:
            fields += [(b"Set-Cookie", cookie) for cookie in self.cookies]
        self._bare = self._bare or self.code in _NO_BODY
        # In a response to HEAD a length is information; without one the end of the body has to be told otherwise.
        if not (self._bare or _has_length(fields)):
            if self.clientproto == b"HTTP/1.1":
                self.chunked = 1
                fields.append((b"Transfer-Encoding", b"chunked"))
            else:
                self.channel.persist = False
        if not self.body.complete:
            self.channel.persist = False
        if not self.channel.persist:
            fields.append((b"Connection", b"close"))
        elif self.clientproto == b"HTTP/1.0":
            fields.append((b"Connection", b"keep-alive"))
        return serialise(status_line(self.code, self.code_message), fields)

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
        self.notifications.append(done)
        return done

    cookies: list[bytes] = []
    gone: Callable[[], None] | None = None
    """Called when the caller goes away before the response is complete: `notifyFinish` without a Deferred."""
