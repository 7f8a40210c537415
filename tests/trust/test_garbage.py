"""What a call leaves behind when it is over: nothing that Python has to search for.

A reference cycle keeps a call, its body and its connections in memory until the next search, and the search stops
everything: the interpreter finds what is not in a cycle the moment it is let go of.
"""

import gc
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import ANTHROPIC_STREAM, ANTHROPIC_WHOLE, CHAT_STREAM, Fixture
from tests.harness import CONFIG, Running, start_gateway, until
from tests.peers import Caller, ask, call_in, post, request

CALLS = 20
SPENT = CONFIG.replace('"*": {{}}', '"*": {{}}\n  spent: {{budget: {{max_cost_per_day: 0}}}}')


def ours() -> Counter[str]:
    """What of this package is unreachable but not gone, by type."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        found = [type(one) for one in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.collect()
    names = [f"{kind.__module__}.{kind.__qualname__}" for kind in found]
    return Counter(name for name in names if name.startswith("agentgateway") and ".demo." not in name)


def fault(name: bytes) -> tuple[bytes, bytes]:
    """The field that asks the stand-in for it."""
    return b"x-standin-fault", name


class GarbageTests(TestCase):
    """Calls of every kind through a whole gateway, with the search for cycles turned off."""

    async def leaves_nothing(self, once: Callable[[Running], Awaitable[Any]]) -> None:
        """Do it a few times; when all is quiet there is nothing of ours to be found."""
        running = await start_gateway(self, SPENT)
        await once(running)  # what the first one sets up
        await self.settled(running)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for _ in range(CALLS):
            await once(running)
        await self.settled(running)
        self.assertEqual(ours(), Counter())

    async def settled(self, running: Running) -> None:
        """Every call is over and every caller has gone."""
        await until(lambda: running.quiet and not running.service.server.channels)

    async def answered(self, running: Running, fixture: Fixture, *fields: tuple[bytes, bytes]) -> None:
        """One call on a connection of its own."""
        close = (b"Connection", b"close")
        await ask(self, running.port, post(fixture.path.encode(), fixture.request, close, *fields))

    def test_whole(self) -> Any:
        """A whole answer."""
        return ensureDeferred(self.leaves_nothing(lambda running: self.answered(running, ANTHROPIC_WHOLE)))

    def test_streams(self) -> Any:
        """A stream to its end, of which a chunk is taken out."""
        return ensureDeferred(self.leaves_nothing(lambda running: self.answered(running, CHAT_STREAM)))

    def test_refused(self) -> Any:
        """A refusal."""
        spent = (b"x-agent-id", b"spent")
        return ensureDeferred(self.leaves_nothing(lambda running: self.answered(running, ANTHROPIC_WHOLE, spent)))

    def test_broken(self) -> Any:
        """A provider that resets, before its answer and within it, and one that lies about its length."""

        async def once(running: Running) -> None:
            for name in (b"reset-before-head", b"reset-mid", b"truncate", b"short-length", b"garbage"):
                await self.answered(running, ANTHROPIC_STREAM, fault(name))

        return ensureDeferred(self.leaves_nothing(once))

    def test_left(self) -> Any:
        """A caller that leaves within a stream, and one that leaves within its body."""

        async def once(running: Running) -> None:
            slow = (fault(b"endless"), (b"x-standin-interval", b"0.002"))
            caller = await call_in(self, running.port)
            caller.transport.write(post(b"/v1/messages", ANTHROPIC_STREAM.request, *slow))
            await until(lambda: caller.answer.body)
            await self.leave(caller)
            caller = await call_in(self, running.port)
            caller.transport.write(post(b"/v1/messages", ANTHROPIC_STREAM.request)[:-5])
            await until(lambda: running.in_flight or running.service.live.calls)
            await self.leave(caller)

        return ensureDeferred(self.leaves_nothing(once))

    async def leave(self, caller: Caller) -> None:
        """Go."""
        caller.transport.abortConnection()
        await caller.closed

    def test_uploads(self) -> Any:
        """A body that streams through."""
        form = (b"Content-Type", b"multipart/form-data; boundary=b")
        raw = request(b"POST", b"/providers/anthropic/v1/files", b"x" * 300_000, form, (b"Connection", b"close"))
        return ensureDeferred(self.leaves_nothing(lambda running: ask(self, running.port, raw)))

    def test_managed(self) -> Any:
        """A look at the API."""
        raw = request(b"GET", b"/api/status", None, (b"Connection", b"close")).replace(b"gateway.test", b"127.0.0.1")
        return ensureDeferred(self.leaves_nothing(lambda running: ask(self, running.port, raw)))
