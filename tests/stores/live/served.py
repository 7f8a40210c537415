"""Tests of the live state with a server of their own."""

import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from agentgateway.interfaces import LiveError
from agentgateway.stores.live.redis import RedisLive
from tests.redis import Redis

PATIENCE = 20.0
"""Seconds in which what is waited for must come about."""


class RedisSteps(TestCase):
    """A server of one's own for each test."""

    password = ""
    database = 0

    def setUp(self) -> None:
        """It answers already."""
        self.server = Redis(self.password, self.database)
        self.addCleanup(self.server.stop)

    def make(self, process: str) -> RedisLive:
        """A process of the fleet."""
        live = RedisLive.of(self.server.url, process, 1, reactor)
        self.addCleanup(live.close)
        return live

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for it."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "it never came about")
            await deferLater(reactor, 0.01)

    async def back(self, live: RedisLive) -> Any:
        """The first answer after an outage."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return await live.sync([])
            except LiveError:
                self.assertLess(time.monotonic(), end, "it never came back")
                await deferLater(reactor, 0.02)
