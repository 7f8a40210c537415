"""The live state without a server: the very scripts that run in Redis, run by a Lua interpreter in this process."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec
from lupa import lua51
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from agentgateway.domain.lease import Ask, Kind, News, Synced
from agentgateway.interfaces import ILive, LiveError
from agentgateway.stores.live.feed import Feed
from agentgateway.stores.live.messages import Desk, fresh_epoch
from agentgateway.stores.live.scripts import ARRIVE, MISSED, SYNC, TELL


class MemoryServer:
    """What stands for Redis: one for all processes of a test. `now` gives its time, epoch seconds.

    A fleet has used it before, so that it lends at once; it does not after `flush`.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.lua = lua51.LuaRuntime(encoding=None)
        self._redis = self.lua.execute(Path(__file__).with_name("redis.lua").read_bytes())
        self._redis.start(now, lambda data: self.table(msgspec.msgpack.decode(data)))
        self._scripts = {
            script.digest: self.lua.compile(script.text.encode()) for script in (SYNC, TELL, MISSED, ARRIVE)
        }
        self._redis.begin()
        self._said: dict[str, float] = {}
        self.rounds = 0
        """How often a script was run."""

    def run(self, digest: str, *arguments: Any) -> Any:
        """Run a script; tables come back as lists and dicts, texts as str where they are UTF-8."""
        self.rounds += 1
        return plain(self._redis.run(self._scripts[digest], *arguments))

    def news(self, seen: int) -> bytes:
        """All news later than version `seen`."""
        answer: bytes = self._redis.run(self._scripts[MISSED.digest], seen, 10**6)
        return answer

    def once(self, key: str, seconds: int) -> bool:
        """SET NX EX."""
        if self._said.get(key, 0) > self.now():
            return False
        self._said[key] = self.now() + seconds
        return True

    def listen(self, listener: Callable[[bytes], None]) -> None:
        """Tell `listener` all that is published."""
        self._redis.listen(lambda channel, message: listener(message))

    def copied(self) -> Any:
        """What a replica has that is no longer written to."""
        return self._redis.copy()

    def restore(self, copy: Any) -> None:
        """Go on with an old copy."""
        self._redis.restore(copy)

    def move(self) -> None:
        """Be another server, with the same memory."""
        self._redis.move()

    def flush(self) -> None:
        """Forget everything."""
        self._redis.flush()
        self._said.clear()

    def data(self) -> Any:
        """All there is, as dicts and lists."""
        return plain(self._redis.data())

    def data_of(self, agent: str) -> Any:
        """What there is of one agent."""
        return plain(self._redis.data()[b"ag:a:" + agent.encode()])

    def table(self, value: Any) -> Any:
        """A list or dict as a table of Lua; None leaves a hole."""
        if isinstance(value, list):
            made = self.lua.table()
            for index, item in enumerate(value, 1):
                if item is not None:
                    made[index] = self.table(item)
            return made
        if isinstance(value, dict):
            return self.lua.table_from({key.encode(): self.table(item) for key, item in value.items()})
        return value.encode() if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """What Lua gave, as Python has it; whole numbers as int."""
    if lua51.lua_type(value) == "table":
        pairs = list(value.items())
        if all(isinstance(key, int) for key, _ in pairs):
            return [plain(item) for _, item in sorted(pairs, key=lambda pair: pair[0])]
        return {plain(key): plain(item) for key, item in pairs}
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


@implementer(ILive)
@attrs.define
class MemoryLive:
    """One process's side. `cut`: nothing gets through, as if the network were down."""

    server: MemoryServer
    process: str
    run: int = attrs.field(default=1, converter=int)
    cut: bool = False
    up: bool = True
    desk: Desk = attrs.field(init=False)
    _feed: Feed | None = None

    def __attrs_post_init__(self) -> None:
        self.desk = Desk(self.process, self.run)

    def start(self, news: Callable[[News], None]) -> None:
        """All there is is told at once."""
        self.server.run(ARRIVE.digest, fresh_epoch())
        self._feed = Feed(news)
        self.server.listen(self._published)
        self._fetch()

    def sync(self, asks: Sequence[Ask], telling: bool = False) -> Deferred[Synced]:
        """Answered before this returns."""
        if self.cut:
            return self._down()
        before, question = self.desk.epoch, self.desk.sync(asks, telling)
        answer = self.desk.synced(msgspec.msgpack.encode(self.server.run(SYNC.digest, question)))
        self.up = True
        if self._feed is not None and self._feed.synced(answer, before):
            self._fetch()
        return succeed(answer)

    def tell(self, kind: Kind, agent: str, body: bytes, at: int | None = None) -> Deferred[None]:
        """Told to all before this returns."""
        if self.cut:
            return self._down()
        self.server.run(TELL.digest, *self.desk.tell(kind, agent, body, at))
        return succeed(None)

    def once(self, key: str, seconds: int) -> Deferred[bool]:
        """Answered at once."""
        return self._down() if self.cut else succeed(self.server.once(key, seconds))

    def close(self) -> Deferred[None]:
        """Listen no more."""
        self._feed = None
        return succeed(None)

    def _down(self) -> Deferred[Any]:
        self.up = False
        return fail(LiveError("cut off"))

    def _published(self, message: bytes) -> None:
        if not self.cut and self._feed is not None and self._feed.published(message):
            self._fetch()

    def _fetch(self) -> None:
        if self._feed is not None:
            self._feed.fetched(self.server.news(self._feed.seen))
