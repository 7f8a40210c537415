"""What a worker tells its siblings of itself."""

import json

from tests.harness import until
from tests.ops.dashboard.served import TOKEN, Served

ADMIN = f"Bearer {TOKEN}"


class RelayTests(Served):
    """A sibling that listens, on the resource that is for siblings."""

    async def setUp(self) -> None:
        """The dashboard's port answers what a worker's own socket would."""
        await super().setUp()
        self.service.site.resource = self.service.for_siblings

    async def test_messages(self) -> None:
        """It is told everything, then what has changed, a line each, until it leaves."""
        client = await self.client("/board", Authorization=ADMIN, Upgrade=None)
        lines = lambda: [line for line in client.raw.received.split(b"\n") if line.startswith(b"{")]  # noqa: E731
        await until(lambda: len(lines()) >= 1)
        self.assertEqual(json.loads(lines()[0])["type"], "snapshot")
        self.state.call("coder")
        await until(lambda: any(json.loads(line)["recent"] for line in lines()))
        client.raw.transport.loseConnection()
        await until(lambda: not self.service.feed.viewers)

    async def test_guests(self) -> None:
        """Without the token nobody listens; pages are there as for people, for who has it."""
        self.assertEqual((await self.ask("GET", "/board"))[0], 401)
        status, _, body = await self.ask("GET", "/data/agents/coder", Authorization=ADMIN)
        self.assertEqual((status, json.loads(body)["id"]), (200, "coder"))
        self.assertEqual((await self.ask("GET", "/"))[0], 404)

    async def test_end(self) -> None:
        """When the worker stops, the stream ends as it should."""
        client = await self.client("/board", Authorization=ADMIN, Upgrade=None)
        await until(lambda: b"snapshot" in client.raw.received)
        self.service._viewers.hang_up()
        for viewer in list(self.service.feed.viewers):
            viewer.end(1001, b"")
        await until(lambda: client.raw.received.endswith(b"0\r\n\r\n"))
        await until(lambda: not self.service.feed.viewers)
