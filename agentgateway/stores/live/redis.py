"""The live state in Redis (or Valkey): questions on one connection, news on another.

A question is answered within `PATIENCE`, or it fails and its connection is given up, so that no late answer is ever
taken for another. Until there is a connection that answers again, every question fails at once.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import attrs
from msgspec import MsgspecError
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from txredisapi import RedisProtocol, SubscriberProtocol
from zope.interface import implementer

from agentgateway.domain.lease import Ask, Kind, News, Synced
from agentgateway.interfaces import ILive, LiveError
from agentgateway.stores.live.feed import Feed
from agentgateway.stores.live.line import Address, Line
from agentgateway.stores.live.messages import Desk, fresh_epoch
from agentgateway.stores.live.scripts import ARRIVE, MISSED, SYNC, TELL, Script

PATIENCE: Final = 0.1
"""Seconds that an answer may take."""
STEPS: Final = 4
"""Looks at whether that is over."""
PORTION: Final = 500
"""News fetched at once."""


async def _greet(protocol: Any) -> None:
    """Load the scripts, and let a server that another one's memory came to be found out before anything is asked."""
    for script in (SYNC, TELL, MISSED):
        await protocol.script_load(script.text)
    await protocol.execute_command("EVAL", ARRIVE.text, 0, fresh_epoch())


@implementer(ILive)
@attrs.define(eq=False)
class RedisLive:
    """One process's side of the state in Redis; made by `of`."""

    _reactor: Any
    _desk: Desk
    _address: Address
    up: bool = False
    _questions: Line = attrs.field(init=False)
    _news: Line = attrs.field(init=False)
    _feed: Feed = attrs.field(init=False)
    _fetching: bool = False
    _again: bool = False
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._questions = Line(self._address, self._reactor, _protocol, _greet)
        self._news = Line(self._address, self._reactor, self._subscriber, self._subscribe)

    @classmethod
    def of(cls, url: str, process: str, run: int, reactor: Any) -> Self:
        """The state at `redis://...`, for a start of the process of this id. Raises ValueError for another URL."""
        return cls(reactor, Desk(process, run), Address.of(url))

    def start(self, news: Callable[[News], None]) -> None:
        """See `ILive`."""
        self._feed = Feed(news)
        self._questions.start()
        self._news.start()

    def sync(self, asks: Sequence[Ask], telling: bool = False) -> Deferred[Synced]:
        """See `ILive`."""
        return Deferred.fromCoroutine(self._sync(asks, telling))

    def tell(self, kind: Kind, agent: str, body: bytes, at: int | None = None) -> Deferred[None]:
        """See `ILive`."""
        arguments = self._desk.tell(kind, agent, body, at)
        return Deferred.fromCoroutine(self._run(TELL, *arguments)).addCallback(lambda _: None)

    def once(self, key: str, seconds: int) -> Deferred[bool]:
        """See `ILive`."""
        asked = Deferred.fromCoroutine(self._ask("SET", f"ag:once:{key}", "1", "NX", "EX", seconds))
        return asked.addCallback(lambda answer: answer is not None)

    def close(self) -> Deferred[None]:
        """See `ILive`."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._news.close()
        await self._questions.close()
        self.up = False

    async def _sync(self, asks: Sequence[Ask], telling: bool) -> Synced:
        before = self._desk.epoch
        answer = await self._run(SYNC, self._desk.sync(asks, telling))
        try:
            synced = self._desk.synced(answer)
        except MsgspecError as error:
            raise LiveError(f"an answer that makes no sense: {error}") from error
        if self._feed.synced(synced, before):
            self._fetch()
        if self._feed.deaf(synced):
            self._news.drop()
        return synced

    async def _run(self, script: Script, *arguments: bytes | int) -> Any:
        try:
            return await self._ask("EVALSHA", script.digest, 0, *arguments)
        except LiveError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await self._ask("EVAL", script.text, 0, *arguments)

    async def _ask(self, *command: str | bytes | int) -> Any:
        """One command and its answer. Raises LiveError; the connection is given up then, but for a script unknown."""
        try:
            protocol = self._questions.protocol or await self._in_time(self._questions.connected())
            answer = await self._in_time(protocol.execute_command(*command))
        except Exception as error:
            self.up = False
            text = f"no answer within {PATIENCE} s" if isinstance(error, CancelledError) else str(error)
            if not text.startswith("NOSCRIPT"):
                self._questions.drop()
            raise LiveError(text) from error
        self.up = True
        return answer

    def _in_time(self, answer: Deferred[Any]) -> Deferred[Any]:
        """Fails when it takes too long. The time is counted in steps: one in which this process was busy counts once."""
        waiting: list[Any] = []

        def look(left: int) -> None:
            if left:
                waiting[:] = [self._reactor.callLater(PATIENCE / STEPS, look, left - 1)]
            else:
                answer.cancel()

        def told(result: Any) -> Any:
            if waiting[0].active():
                waiting[0].cancel()
            return result

        look(STEPS)
        return answer.addBoth(told)

    def _subscriber(self) -> Any:
        protocol = SubscriberProtocol(charset=None, convertNumbers=False)
        protocol.messageReceived = self._published
        return protocol

    async def _subscribe(self, protocol: Any) -> None:
        await protocol.subscribe("ag:news")
        self._feed.subscribed()
        self._fetch()

    def _published(self, pattern: None, channel: bytes, message: bytes) -> None:
        if self._feed.published(message):
            self._fetch()

    def _fetch(self) -> None:
        """Get the news that were missed."""
        self._again = True
        if not self._fetching:
            self._fetching = True
            Deferred.fromCoroutine(self._fetch_all()).addErrback(self._could_not_fetch)

    async def _fetch_all(self) -> None:
        try:
            while self._again:
                self._again = self._feed.fetched(await self._missed()) == PORTION or self._again
        finally:
            self._fetching = False

    async def _missed(self) -> bytes:
        self._again = False
        news: bytes = await self._run(MISSED, self._feed.seen, PORTION)
        return news

    def _could_not_fetch(self, failure: Any) -> None:
        """The next answer will say again what is missing."""
        if not failure.check(LiveError):
            self._log.failure("could not fetch news", failure)


def _protocol() -> Any:
    return RedisProtocol(charset=None, convertNumbers=False)
