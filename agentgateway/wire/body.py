"""Request bodies as they arrive: read whole within a limit, or streamed on with back-pressure."""

from collections.abc import Callable
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer

from agentgateway.wire.errors import BodyTooLarge, CannotRead, NoRoom, WireError
from agentgateway.wire.room import Kept, Room
from agentgateway.wire.spill import Spill

BUFFERED = 65_536
"""How much of a body is taken in before anybody has asked for it."""


class IncomingBody:
    """The body of one request as it arrives: `limit` in bytes, `throttle(bool)` pauses and resumes the caller.

    Until somebody asks, up to BUFFERED bytes are kept and then the caller is paused. `arrived` waits for all of it,
    `stream_to` hands it on.
    """

    __slots__ = (
        "_consumer",
        "_data",
        "_failure",
        "_forfeited",
        "_invite",
        "_limit",
        "_room",
        "_throttle",
        "_waiting",
        "complete",
        "received",
    )

    _keep: ClassVar[type[Kept]] = Kept

    def __init__(self, limit: int, throttle: Callable[[bool], None], room: Room | None = None) -> None:
        """`room` is shared with the other bodies of a server."""
        self.complete = False
        self.received = 0
        self._limit = limit
        self._throttle = throttle
        self._room = room or Room()
        self._data: bytes | Kept = b""
        self._invite: Callable[[], None] | None = None
        self._waiting: Deferred[None] | None = None
        self._consumer: IConsumer | None = None
        self._failure: WireError | None = None
        self._forfeited = 0.0
        """Seconds it gained by being fast, beyond what may be saved up."""

    def arrived_at_once(self, data: bytes) -> None:
        """All of it is here, and within the limit."""
        self._data = data
        self.received = len(data)
        self.complete = True

    # what the channel tells

    def feed(self, data: bytes) -> None:
        """Some of the body has arrived; past the limit the body fails with BodyTooLarge, where all are full with NoRoom."""
        self.received += len(data)
        if self._failure is not None:
            return
        if self.received > self._limit:
            self.fail(BodyTooLarge(f"a body of more than {self._limit} bytes"))
        elif self._consumer is not None:
            self._consumer.write(data)
        elif not self._data:
            self._data = data
        else:
            if isinstance(self._data, bytes):  # not a list: a million chunks of one byte would take 60 MB
                self._data = self._keep(self._data, self._room)
            self._data.add(data)
            if self.received > BUFFERED and self._room.full(self.received, self._limit):
                self.fail(NoRoom("the gateway holds as much of its callers' requests as it can: try again shortly"))
        if self.received > BUFFERED and self._waiting is None and self.unfinished:
            self._throttle(True)

    def end(self) -> None:
        """All of it has arrived."""
        self.complete = True
        self._fire(None)

    def fail(self, error: WireError) -> None:
        """It will not arrive in full; whoever waits for it, or asks later, gets `error`."""
        if self.unfinished:
            self._failure = error
            self._data = b""
            self._fire(error)
            error.__traceback__ = None  # whoever waited is in it, and holds this

    def _fire(self, error: WireError | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            if error is None:
                waiting.callback(None)
            else:
                waiting.errback(error)

    def when_wanted(self, invite: Callable[[], None]) -> None:
        """Call `invite` once when somebody first asks for the body: the moment for `100 Continue`."""
        self._invite = invite

    def narrow(self, limit: int) -> None:
        """Take no more than `limit` bytes, from now on."""
        self._limit = min(self._limit, limit)
        self.feed(b"")

    def overdue(self, elapsed: float, allowed: Callable[[int], float]) -> bool:
        """Whether it is too slow, `elapsed` seconds after it could begin; `allowed(bytes received)` is in seconds.

        To be asked every second or so: who was fast may be slow for `allowed(0)` at most, not for as long as it gained,
        or thirty megabytes sent at once could be left lying in memory for hours.
        """
        if not self.unfinished or self._invite is not None:
            return False
        left = allowed(self.received) - self._forfeited - elapsed
        self._forfeited += max(0.0, left - allowed(0))
        return left < 0

    # what the resource asks

    @property
    def unfinished(self) -> bool:
        """More is to come, as far as one can tell."""
        return not self.complete and self._failure is None

    @property
    def whole(self) -> bool:
        """All of it has arrived and was kept: one that is too large may arrive in full, too."""
        return self.complete and self._failure is None

    def take(self) -> bytes:
        """What has arrived, when it is complete. Raises CannotRead."""
        data, self._data = self._data, b""
        try:
            return data if isinstance(data, bytes) else data.whole()
        except (MemoryError, OSError):
            raise CannotRead from None

    def arrived(self) -> "Deferred[None]":
        """Fires when the body is complete; fails with BodyTooLarge, BodyTimeout, BadFraming or CallerGone."""
        done: Deferred[None] = Deferred(self._forget)
        if self._failure is not None:
            done.errback(self._failure)
        elif self.complete:
            done.callback(None)
        else:
            self._waiting = done
            self._throttle(False)
            invite, self._invite = self._invite, None
            if invite is not None:
                invite()
        return done

    def _forget(self, _done: "Deferred[None] | None" = None) -> None:
        self._waiting = None

    def stream_to(self, consumer: IConsumer) -> "Deferred[None]":
        """Hand on what is here and what comes; fires as `arrived` does."""
        data = self.take()
        self._consumer = consumer
        if data:
            consumer.write(data)
        return self.arrived()

    def pause(self, paused: bool) -> None:
        """Pause or resume the caller: back-pressure from whoever streams it on."""
        if self.unfinished:
            self._throttle(paused)

    def abandon(self) -> None:
        """Nobody wants the rest: it is counted, not kept."""
        self._consumer = None
        self._data = b""
        self._forget()
        if self.unfinished:
            self._failure = WireError("nobody wanted the rest of the body")
            self._throttle(False)


class UntoldBody(IncomingBody):
    """One that does not tell its length beforehand, and so may be too large in the end: it takes little memory till then."""

    __slots__ = ()
    _keep = Spill
