"""The live state in a real redis-server keeps its promises, and answers as its stand-in does."""

import random
import time
from typing import Any

import msgspec
from twisted.internet import reactor

from agentgateway.domain.lease import Ask, BucketAsk, Grant
from agentgateway.interfaces import LiveError
from agentgateway.stores.live.redis import RedisLive
from tests.stores.live.asking import asking
from tests.stores.live.contract import LiveSteps
from tests.stores.live.memory import MemoryLive, MemoryServer
from tests.stores.live.served import RedisSteps

START_OF_TEST = time.time()


class RedisLiveTests(LiveSteps, RedisSteps):
    """The promises."""


class PasswordTests(LiveSteps, RedisSteps):
    """The same behind a password."""

    password = "Gehe:im/nis"
    database = 3

    def make(self, process: str) -> RedisLive:
        """The password is percent-encoded in a URL."""
        live = RedisLive.of(f"redis://:Gehe%3Aim%2Fnis@127.0.0.1:{self.server.port}/3", process, 1, reactor)
        self.addCleanup(live.close)
        return live

    async def test_wrong_password(self) -> None:
        """A wrong password is an error that says so, and shows none."""
        live = RedisLive.of(f"redis://:wrong@127.0.0.1:{self.server.port}", "one", 1, reactor)
        self.addCleanup(live.close)
        live.start(lambda news: None)
        error = await self.assertFailure(live.sync([]), LiveError)
        self.assertIn("WRONGPASS", str(error))
        self.assertNotIn("wrong@", repr(live) + str(error))


class SameTests(RedisSteps):
    """The server and what stands for it in other tests."""

    async def test_the_same_answers(self) -> None:
        """Asked the same at the same time, they answer the same."""
        dice = random.Random(3)
        memory = MemoryServer(lambda: answer.now)
        names = ("one", "two", "three")
        pairs = [(self.make(name), MemoryLive(memory, name)) for name in names]
        for live, _ in pairs:
            live.start(lambda news: None)
        for _ in range(300):
            live, likeness = dice.choice(pairs)
            asks = [some_ask(dice) for _ in range(dice.randrange(4))]
            answer = await live.sync(asks)
            alike = await likeness.sync(asks)
            self.assertEqual([plain(grant) for grant in answer.grants], [plain(grant) for grant in alike.grants])
            self.assertEqual((answer.grace, answer.members), (alike.grace, alike.members))


def some_ask(dice: random.Random) -> Ask:
    """Any numbers, small and large, that a process could tell."""
    spent = dice.choice((0, 1, 128, 70_000, 2**31, 2**40))
    bucket = BucketAsk(
        "calls", dice.choice((1, 100)), dice.choice((1, 86400)), dice.randrange(300), dice.randrange(400)
    )
    return asking(
        START_OF_TEST,
        agent=dice.choice(("writer", "reader")),
        caps=dice.choice(((None, None, None), (10**6, None, 2**52), (None, 2**45, None))),
        spent=spent,
        in_hour=spent // 2,
        held=spent + dice.choice((0, 5, 2**33)),
        need=spent + dice.randrange(1000),
        want=spent + dice.randrange(2**35),
        slots_held=dice.randrange(3),
        slots=dice.randrange(6),
        max_slots=dice.choice((None, 4)),
        buckets=(bucket,) * dice.randrange(2),
    )


def plain(grant: Grant) -> tuple[Any, ...]:
    """Its values, to compare."""
    fields = tuple(getattr(grant, name) for name in Grant.__struct_fields__[:-1])
    return (*fields, msgspec.msgpack.decode(grant.gone))
