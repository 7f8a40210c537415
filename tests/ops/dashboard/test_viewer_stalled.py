"""Viewers of the dashboard that do not read, or do not answer, on real sockets."""

import json
from typing import Any

from agentgateway.ops.dashboard.message import RECENT
from tests.domain.test_series import record
from tests.harness import until
from tests.ops.dashboard.served import PING, PONG, TEXT, Served, frame


class StallTests(Served):
    """A viewer that does not read."""

    async def test_stalled(self) -> None:
        """What it does not read is not kept for it: its messages are skipped, and in the end it is dropped."""
        client = await self.client()
        await until(lambda: client.payloads(TEXT))
        (viewer,) = self.service.feed.viewers
        viewer._valve.pauseProducing()  # type: ignore[attr-defined]
        seen = len(client.payloads(TEXT))
        self.service.rounds.begin(again=True)
        await until(lambda: self.service.feed.viewers[viewer] is False)
        self.assertEqual(len(client.payloads(TEXT)), seen)
        viewer._valve.since -= 60  # type: ignore[attr-defined]
        self.service.rounds.begin(again=True)
        await until(lambda: client.raw.lost)

    async def test_unread(self) -> None:
        """A viewer that really does not read is known by it, and so is one that begins to read again."""
        client = await self.client("/ws?full=1")
        await until(lambda: client.payloads(TEXT))
        (viewer,) = self.service.feed.viewers
        reader: Any = client.raw.transport
        reader.pauseProducing()
        self.state.tail.extend([record(path="/" + "x" * 200_000)] * RECENT)  # more than a connection holds
        self.service.rounds.begin(again=True)
        await until(lambda: viewer._valve.since is not None)  # type: ignore[attr-defined]
        self.state.tail.clear()
        self.service.rounds.begin(again=True)
        await until(lambda: self.service.feed.viewers[viewer] is False)
        reader.resumeProducing()
        await until(lambda: viewer._valve.since is None)  # type: ignore[attr-defined]
        await until(lambda: self.service.feed.viewers[viewer])

    async def test_resumed(self) -> None:
        """One that reads again is told everything."""
        client = await self.client()
        await until(lambda: client.payloads(TEXT))
        (viewer,) = self.service.feed.viewers
        viewer._valve.pauseProducing()  # type: ignore[attr-defined]
        self.service.rounds.begin(again=True)
        await until(lambda: self.service.feed.viewers[viewer] is False)
        viewer._valve.resumeProducing()  # type: ignore[attr-defined]
        self.service.rounds.begin(again=True)
        await until(lambda: [json.loads(one)["type"] for one in client.payloads(TEXT)].count("snapshot") == 2)

    async def test_silent(self) -> None:
        """One that does not answer a ping in time is gone, and is dropped."""
        self.service._viewers.setProtocolOptions(autoPingInterval=0.05, autoPingTimeout=0.2)
        client = await self.client()
        await until(lambda: client.raw.lost)
        self.assertEqual(len(client.payloads(PING)), 1)

    async def test_answering(self) -> None:
        """One that answers is asked again, and stays."""
        self.service._viewers.setProtocolOptions(autoPingInterval=0.05)
        client = await self.client()
        for number in (1, 2, 3):
            await until(lambda number=number: len(client.payloads(PING)) == number)
            client.say(frame(PONG, client.payloads(PING)[-1]))
        self.assertFalse(client.raw.lost)

    async def test_stop(self) -> None:
        """When the gateway stops, viewers are told that it goes away."""
        client = await self.client()
        await until(lambda: client.payloads(TEXT))
        self.service._viewers.hang_up()
        self.assertEqual(await client.closed(), 1001)
