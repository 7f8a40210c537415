"""Following the audit log: new records to whoever watches, as they come.

Records are gathered for a moment and go out together, one write for many. A follower whose connection is full keeps what
comes for it, up to a limit; past that it is dropped, its connection closed without an end of the answer, so that it
cannot take what it has for all there was. While nobody follows, nobody listens.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from agentgateway.domain.audit import AuditRecord, encode
from agentgateway.web.management.formats import Format, one
from agentgateway.web.management.problems import Problem

MAX_FOLLOWERS: Final = 32
MAX_WAITING: Final = 4_194_304
"""Bytes kept for a follower that does not read."""
GATHER: Final = 0.05
"""Seconds for which records are gathered before they go out."""


class _Id(msgspec.Struct):
    """What of a record is needed to know it again."""

    id: str


class Feed:
    """Whoever follows. `listeners` are told each new record; the feed is among them while it has followers."""

    def __init__(self, clock: IReactorTime, listeners: list[Callable[[AuditRecord], object]]) -> None:
        self.followers: set[Follower] = set()
        self._clock = clock
        self._listeners = listeners
        self._flushing: IDelayedCall | None = None

    def _tell(self, record: AuditRecord) -> None:
        """A new record: to all who want it."""
        line = encode(record)
        for follower in list(self.followers):
            follower.take(record, line)
        self._flush_soon()

    def tell(self, follower: "Follower", line: bytes) -> None:
        """A new record (JSON) from elsewhere, to one who wants it."""
        if follower in self.followers:
            follower.put(msgspec.json.decode(line, type=_Id).id, line)
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flushing is None:
            self._flushing = self._clock.callLater(GATHER, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        for follower in list(self.followers):
            follower.flush()
        if not self.followers and self._tell in self._listeners:
            self._listeners.remove(self._tell)  # not sooner: the listeners may be on their way through the list

    def follow(self, request: Any, wanted: Callable[[AuditRecord], bool], format: Format) -> "Follower":
        """One more, from now on; nothing goes out before its `begin`. Raises Problem (503) where there are too many."""
        if len(self.followers) >= MAX_FOLLOWERS:
            raise Problem(503, "unavailable", f"{MAX_FOLLOWERS} callers follow the log already: one of them has to go")
        follower = Follower(self, request, wanted, format)
        self.followers.add(follower)
        if self._tell not in self._listeners:
            self._listeners.append(self._tell)
        request.notifyFinish().addBoth(lambda _: self.followers.discard(follower))
        return follower

    def close(self) -> None:
        """End every stream, in order: the gateway stops."""
        for follower in list(self.followers):
            follower.end()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flush()


@implementer(IPushProducer)
class Follower:
    """One caller that follows."""

    def __init__(self, feed: Feed, request: Any, wanted: Callable[[AuditRecord], bool], format: Format) -> None:
        self._feed = feed
        self._request = request
        self._wanted = wanted
        self._format = format
        self._waiting: list[bytes] = []
        self._size = 0
        self._early: list[tuple[str, bytes]] | None = []
        """Records that came before the page this stream begins with was read, by id."""
        self._paused = False

    def begin(self, known: set[str], page: bytes) -> None:
        """Start with `page`; of what has come meanwhile, what is not `known` from it follows."""
        early, self._early, self._size = self._early or [], None, 0
        if self not in self._feed.followers:
            return
        self._request.registerProducer(self, True)
        self._request.write(page)
        for id, line in early:
            if id not in known:
                self._put(line)
        self.flush()

    def take(self, record: AuditRecord, line: bytes) -> None:
        """A new record."""
        if self._wanted(record):
            self.put(record.id, line)

    def put(self, id: str, line: bytes) -> None:
        """A record it wants, as JSON."""
        line = one(line, self._format)
        if self._early is not None:
            self._early.append((id, line))
            self._count(line)
        else:
            self._put(line)

    def _put(self, data: bytes) -> None:
        self._waiting.append(data)
        self._count(data)

    def _count(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_WAITING:
            self._drop()

    def _drop(self) -> None:
        self._feed.followers.discard(self)
        self._waiting.clear()
        self._early = None if self._early is None else []
        if hasattr(self._request, "break_off"):
            self._request.break_off()
        else:
            self._request.loseConnection()

    def flush(self) -> None:
        """What has gathered goes out, if it can."""
        if self._paused or self._early is not None or not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._request.write(data)

    def end(self) -> None:
        """No more will come."""
        self._feed.followers.discard(self)
        self._paused = False
        if self._early is None:
            self.flush()
            self._request.unregisterProducer()
        self._request.finish()

    # the caller's side

    def pauseProducing(self) -> None:
        """The caller reads more slowly than records come."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The caller reads again."""
        self._paused = False
        self.flush()

    def stopProducing(self) -> None:
        """The caller is gone; the feed hears of it by itself."""
