"""Thousands of streams open at once, and what each costs the gateway in memory."""

import json
import resource
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from tests.harness import reactor
from tests.peers import ask, closed_port, post, request
from tests.reality.processes import GATEWAY, healthy, spawn, start_standin, write_config

WANTED = 5_000
EACH = 25 * 1024
"""Bytes of the gateway's memory that one open stream may take."""
SPARE = 500
AT_ONCE = 100
BODY = b'{"model":"claude-sonnet-4-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hello"}]}'
STREAM = post(b"/v1/messages", BODY, (b"x-standin-interval", b"600"), (b"x-agent-id", b"crowd"))


class Listener(Protocol):
    """A caller that keeps nothing; `begun` fires when its stream has."""

    def __init__(self) -> None:
        self.begun: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """Ask."""
        self.transport.write(STREAM)

    def dataReceived(self, data: bytes) -> None:
        """The stream's beginning."""
        if not self.begun.called and b"message_start" in data:
            self.begun.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        """It is over."""
        self.gone.callback(None)


class OpenStreamsTests(TestCase):
    """Every agent of a large fleet in the middle of an answer."""

    timeout = 100

    async def open(self, port: int, count: int, listeners: list[Listener]) -> None:
        """Open streams one after the other, until there are `count` of them."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        while len(listeners) < count:
            listener: Listener = await connectProtocol(endpoint, Listener())
            listeners.append(listener)
            await listener.begun

    async def close(self, listeners: list[Listener]) -> None:
        """Leave all of them."""
        for listener in listeners:
            listener.transport.abortConnection()
        await gatherResults([listener.gone for listener in listeners])

    def test_memory(self) -> Any:
        """5,000 open streams take at most 25 KB each, and when they are gone nothing is left in flight."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        count = min(WANTED, (limit - SPARE) // 2)
        if count < WANTED:
            print(f"open streams: only {count}, not {WANTED}, because `ulimit -n` is {limit}")

        async def scenario() -> None:
            _, provider = await start_standin(self)
            port = closed_port()
            gateway = spawn(self, *GATEWAY, write_config(self, port, provider))
            await healthy(self, gateway, port)
            listeners: list[Listener] = []
            await self.open(port, 20, listeners)
            before = gateway.resident
            await gatherResults([ensureDeferred(self.open(port, count, listeners)) for _ in range(AT_ONCE)])
            opened = len(listeners)
            self.assertGreaterEqual(opened, count)
            each = (gateway.resident - before) / (opened - 20)
            print(f"open streams: {opened}, {each / 1024:.1f} KB each")
            self.assertLess(each, EACH)
            await self.close(listeners)
            await self.drained(port)

        return ensureDeferred(scenario())

    async def drained(self, port: int) -> None:
        """Wait until no call is in flight."""
        left = 1
        while left:
            answer = await ask(self, port, request(b"GET", b"/health", None))
            left = json.loads(bytes(answer.body))["in_flight"]
