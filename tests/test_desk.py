"""What operators find at one gateway's port; a gateway by itself has nobody to share that with."""

import json
import os

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import TestCase

from agentgateway.config.load import parse
from agentgateway.domain.lease import News
from agentgateway.domain.standing import Pause
from agentgateway.ops.tidings import pause_body
from agentgateway.service import GatewayService
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

    def test_words(self) -> None:
        """A pause that another worker tells is written down before that one is told that it has arrived."""
        folder = os.path.abspath(self.mktemp())
        text = f"""
        gateway: {{port: 0, state_dir: {folder}}}
        agents: {{a: {{}}}}
        audit: {{log_file: {folder}/audit.jsonl}}
        dashboard: false
        store: {{live: "redis://127.0.0.1:1", history: "postgresql://nobody@127.0.0.1:1/none"}}
        """
        service = GatewayService(parse(text, "test.yaml", {}), MemoryReactorClock())
        self.addCleanup(service.books.log.close)
        agent = service.live.fleet.get("a")
        assert agent is not None
        written: list[Pause | None] = []
        service.books.flush = lambda: written.append(agent.pause)  # type: ignore[method-assign]
        pause = Pause("operator", "enough", 1.0)
        service.live.heard((News(0, "standing", "a", "another", pause_body(pause), 7),))
        self.assertEqual(written, [pause])
