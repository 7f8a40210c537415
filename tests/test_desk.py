"""What operators find at one gateway's port; a gateway by itself has nobody to share that with."""

import json

from twisted.trial.unittest import TestCase

from tests.harness import start_gateway
from tests.peers import ask, request
from tests.test_service import message


class DeskTests(TestCase):
    """A gateway that is a process of its own."""

    async def test_together(self) -> None:
        """A call is in the status, the metrics and the log of one and the same gateway, each by one request."""
        running = await start_gateway(self)
        self.assertEqual((await ask(self, running.port, message())).status, 200)
        texts = []
        for path in (b"/api/status", b"/metrics", b"/api/logs"):
            asked = request(b"GET", path, None).replace(b"gateway.test", b"localhost")
            answer = await ask(self, running.port, asked)
            self.assertEqual(answer.status, 200, path)
            texts.append(bytes(answer.body).decode())
        [agent] = [agent for agent in json.loads(texts[0])["agents"] if agent["call_count"]]
        self.assertEqual(agent["id"], running.records[0]["agent"])
        self.assertIn(f'agentgateway_calls_total{{agent="{agent["id"]}",outcome="ok"', texts[1])
        self.assertIn(running.records[0]["id"], texts[2])

    async def test_alone(self) -> None:
        """Without a parent there are no siblings to ask, and no socket for them."""
        running = await start_gateway(self)
        self.assertIsNone(running.service.desk.control())
