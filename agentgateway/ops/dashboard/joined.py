"""What viewers are told where several workers serve calls: of all of them, whichever of them the viewer has come to.

While it has viewers, a worker listens to its siblings and to itself as one more viewer does; while it has none, it does
not ask. Each pass of its own feed is followed by one of this.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from agentgateway.domain.audit import iso
from agentgateway.interfaces import Siblings
from agentgateway.ops.dashboard.boards import Boards, told
from agentgateway.ops.dashboard.feed import Audience, Feed, show_all
from agentgateway.ops.dashboard.message import Message
from agentgateway.ops.dashboard.shared import Shared

PATH: Final = b"/board"
MAX_TOLD: Final = 100
"""Messages that may wait for the next pass; the newest are kept."""


class JoinedFeed:
    """`viewers` of all workers together; to `feed`, this worker's own, it is a viewer itself."""

    full = False
    deflates = False

    def __init__(self, live: Shared, feed: Feed, siblings: Siblings) -> None:
        self._live = live
        self._feed = feed
        self._siblings = siblings
        self.viewers: dict[Audience, bool] = {}
        """Whether each is up to date."""
        self._boards = Boards()
        self._told: deque[tuple[int, bytes | None]] = deque(maxlen=MAX_TOLD)
        self._stop: Callable[[], None] | None = None

    def join(self, viewer: Audience) -> None:
        """One more viewer; with the first one begins the listening."""
        self.viewers[viewer] = False
        if self._stop is None:
            self._boards = Boards()
            self._told.clear()
            self._feed.join(self)
            self._stop = self._siblings.follow(PATH + b"?", self._hear)

    def leave(self, viewer: Audience) -> None:
        """One less."""
        self.viewers.pop(viewer, None)
        if not self.viewers and self._stop is not None:
            self._feed.leave(self)
            self._stop()
            self._stop = None

    def _hear(self, number: int, line: bytes | None) -> None:
        self._told.append((number, line))

    # as a viewer of this worker's own

    def show(self, message: Message) -> bool:
        """What this worker says of itself."""
        self._told.append((self._siblings.own, message.payload))
        return True

    def end(self, code: int, why: bytes) -> None:
        """Viewers are told themselves."""

    # as a feed

    def run(self) -> Iterator[None]:
        """One pass, a step each time it is asked for the next."""
        while self._told:
            number, line = self._told.popleft()
            if line is None:
                self._boards.drop(number)
            elif line:
                self._boards.take(number, told(line))
            yield
        if not self.viewers:
            return
        changed: list[msgspec.Raw] = []
        gone: list[str] = []
        yield from self._boards.look(changed, gone)
        update = Message(self._head("update") | {"agents": changed, "gone": gone} | self._boards.news())
        yield
        yield from show_all(self.viewers, update, self._snapshot)

    def _head(self, type_: str) -> dict[str, Any]:
        return self._boards.head(type_, iso(self._live.moment().wall), len(self.viewers))

    def _snapshot(self) -> Message:
        return Message(self._head("snapshot") | self._boards.all())
