"""The dashboard of several workers: one gateway, whichever of them a viewer has come to."""

import json
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from tests.harness import until
from tests.operate.gateway import message
from tests.peers import Answer, ask, call_in, request
from tests.workers.gateway import Workers, board, started

SLOW = ((b"x-standin-chunks", b"100"), (b"x-standin-interval", b"0.2"))


class DashboardTests(TestCase):
    """Seen and done through the page."""

    timeout = 120

    async def data(self, gateway: Workers, path: bytes, body: bytes | None = None) -> Answer:
        """A page of it, as a program with the token asks for it."""
        token = b"Bearer " + (gateway.folder / "admin-token").read_bytes().strip()
        fields = [(b"Authorization", token), (b"Connection", b"close")]
        method = b"GET" if body is None else b"POST"
        if body is not None:
            fields += [(b"Content-Type", b"application/json")]
        return await ask(self, gateway.board, request(method, path, body, *fields))

    async def test_seen(self) -> None:
        """Viewers of either worker see all agents, calls under way, records and charts, and the same numbers."""
        gateway = await started(self)
        answers = [await ask(self, gateway.port, message(name)) for name in (b"a", b"b", b"a", b"b", b"a", b"b")]
        streams = [await call_in(self, gateway.port) for _ in range(4)]
        for caller in streams:
            caller.transport.write(message(b"slow", True, *SLOW))
        viewers = [await board(self, gateway) for _ in range(6)]

        def all_see(seen: Any) -> bool:
            found = [seen(viewer.look()) for viewer in viewers]
            return all(found)

        await until(lambda: all_see(lambda one: {"a", "b", "slow"} <= set(one.rows)), 20)
        await until(lambda: all_see(lambda one: one.rows["slow"]["in_flight"] == 4), 20)
        await until(lambda: all_see(lambda one: one.gateway["in_flight"] == one.gateway["open_streams"] == 4), 20)
        await until(lambda: all_see(lambda one: one.rows["a"]["call_count"] == one.rows["b"]["call_count"] == 3), 20)
        await until(lambda: all_see(lambda one: sum(one.rows["a"]["spark"]) == 3), 20)
        ids = {answer.one(b"x-agentgateway-request-id") for answer in answers}
        self.assertTrue(all(ids <= set(viewer.recent) for viewer in viewers))
        self.assertEqual([len(viewer.recent) for viewer in viewers], [6] * 6)
        await self.acted(gateway, ids, streams)
        gateway.stop()
        await gateway.ended()

    async def acted(self, gateway: Workers, ids: set[str], streams: list[Any]) -> None:
        """Pages are of both workers, and streams are ended wherever they are."""
        for _ in range(3):
            calls = json.loads(bytes((await self.data(gateway, b"/data/calls")).body))
            self.assertEqual({call["id"] for call in calls}, ids)
            detail = json.loads(bytes((await self.data(gateway, b"/data/agents/slow")).body))
            self.assertEqual(detail["in_flight"], 4)
            self.assertEqual((await self.data(gateway, b"/data/agents/nobody")).status, 404)
        found = json.loads(bytes((await self.data(gateway, b"/data/streams")).body))
        self.assertEqual(len(found), 4)
        for stream in found:
            done = await self.data(gateway, b"/act/streams/%b/end" % stream["id"].encode(), b"{}")
            self.assertEqual((done.status, json.loads(bytes(done.body))), (200, {"ended": stream["id"]}))
        await gatherResults([caller.closed for caller in streams])
        gone = await self.data(gateway, b"/act/streams/%b/end" % found[0]["id"].encode(), b"{}")
        self.assertEqual(gone.status, 404)
        counted = 0
        while not counted:  # what one worker has counted the other shows once it is stored
            history = json.loads(bytes((await self.data(gateway, b"/data/history")).body))
            counted = sum(history["columns"]["calls"])
        self.assertLessEqual(counted, len(ids) + len(streams))
