"""A process whose turns come too late: it takes no new calls, and goes on with everything else."""

import json
import signal
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import until
from tests.peers import Answer, ask, call_in, closed_port, post, request
from tests.reality.processes import start_standin
from tests.trust.gateway import CONFIG, Gateway, pause, start

BODY = b'{"model":"priced","max_tokens":9,"messages":[]}'
CALL = post(b"/v1/messages", BODY, (b"x-agent-id", b"writer"))
ENDLESS = ((b"x-standin-fault", b"endless"), (b"x-standin-interval", b"0.02"))
STREAM = post(b"/v1/messages", BODY.replace(b"{", b'{"stream":true,', 1), (b"x-agent-id", b"reader"), *ENDLESS)
LATE = 0.8
"""Seconds for which the process stands still at a time."""
TURN = 0.02
"""Seconds in between."""


class OverloadTests(TestCase):
    """A gateway that is stopped again and again: each of its turns comes late."""

    timeout = 60

    async def lags(self, gateway: Gateway, turns: int) -> None:
        """Let it have a short turn now and then only."""
        for _ in range(turns):
            gateway.process.transport.signalProcess(signal.SIGSTOP)
            await pause(LATE)
            gateway.process.transport.signalProcess(signal.SIGCONT)
            await pause(TURN)

    async def meanwhile(self, gateway: Gateway, asked: bytes, port: int | None = None) -> Answer:
        """The answer to a request that waits while the process stands still."""
        waiting = ensureDeferred(ask(self, port or gateway.port, asked))
        while not waiting.called:
            await self.lags(gateway, 1)
        answer: Answer = await waiting
        return answer

    def test_overload(self) -> Any:
        """New calls are refused with 503 at once; streams, the API and the dashboard go on; then it is over by itself."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            board = closed_port()
            config = CONFIG.replace("dashboard: false", f"dashboard: {{{{host: 127.0.0.1, port: {board}}}}}")
            gateway = await start(self, provider, config)
            reader = await call_in(self, gateway.port)
            reader.transport.write(STREAM)
            await until(lambda: b"content_block_delta" in reader.answer.body)

            await self.lags(gateway, 1)
            self.assertEqual((await ask(self, gateway.port, CALL)).status, 200)
            while "overloaded: calls wait" not in gateway.said:
                await self.lags(gateway, 1)
            had = len(reader.answer.body)
            refused = await self.meanwhile(gateway, CALL)
            told = (refused.status, refused.one(b"x-agentgateway-reason"), refused.one(b"retry-after"))
            self.assertEqual(told, (503, "overloaded", "1"))
            self.assertEqual(json.loads(bytes(refused.body))["error"]["type"], "overloaded_error")
            self.assertEqual((await self.meanwhile(gateway, request(b"GET", b"/health", None))).status, 200)
            token = (gateway.folder / "admin-token").read_bytes().strip()
            paused = post(b"/api/agents/writer/pause", b"{}", (b"Authorization", b"Bearer " + token))
            self.assertEqual((await self.meanwhile(gateway, paused)).status, 200)
            page = request(b"GET", b"/", None, (b"Connection", b"close")).replace(b"gateway.test", b"127.0.0.1")
            self.assertEqual((await self.meanwhile(gateway, page, board)).status, 200)
            numbers = await self.meanwhile(
                gateway, request(b"GET", b"/metrics", None).replace(b"gateway.test", b"localhost")
            )
            self.assertIn(b"agentgateway_overloaded 1.0", bytes(numbers.body))
            self.assertGreater(len(reader.answer.body), had)

            await until(lambda: "no longer overloaded" in gateway.said)
            self.assertEqual((await gateway.manage(b"POST", b"/api/agents/writer/resume", b"{}")).status, 200)
            self.assertEqual((await ask(self, gateway.port, CALL)).status, 200)
            reader.transport.abortConnection()
            await gateway.quiet()
            self.assertEqual(
                [record["reason"] for record in gateway.records if record["outcome"] == "refused"], ["overloaded"]
            )
            await gateway.stop()

        return ensureDeferred(scenario())
