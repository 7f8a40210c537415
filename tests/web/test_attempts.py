"""Fallback: the next provider is tried as long as nothing has reached the caller."""

from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import CHAT_STREAM, CHAT_WHOLE
from tests.harness import CONFIG, Running, listen, start_gateway, sweep_often
from tests.peers import STREAM_HEAD, Origin, Received, Visit, ask, chunk, closed_port, fixed, post, request, response

CHAT = b"/v1/chat/completions"
GOOD = response(CHAT_WHOLE.answer)


class AttemptsTests(TestCase):
    """One agent with a second provider."""

    async def start(self, first: Any, second: Any = None, port: int | None = None) -> Running:
        """A gateway whose agent `coder` has `first` (or what is at `port`), and falls back on `second`."""
        self.first, self.second = Origin(first), Origin(second or fixed(GOOD))
        one = await listen(self, self.first) if port is None else port
        config = CONFIG.replace("coder: {{provider: openai", "coder: {{provider: first, fallback: [openai]").replace(
            "agents:",
            f'  first: {{{{api: openai, base_url: "http://127.0.0.1:{one}", response_timeout: 0.1}}}}\nagents:',
        )
        running = await start_gateway(self, config, self.second)
        sweep_often(self, running)
        return running

    async def ask(self, running: Running, raw: bytes = CHAT_WHOLE.request, path: bytes = CHAT) -> Any:
        """A call of the agent."""
        return await ask(
            self, running.port, post(path, raw, (b"x-agent-id", b"coder"), (b"Authorization", b"Bearer k"))
        )

    def test_failures(self) -> Any:
        """5xx, 429, a broken or refused connection lead to the next provider; the record names who answered."""

        async def scenario() -> None:
            for first in (
                fixed(response(b"{}", status=b"500 No")),
                fixed(response(b"{}", status=b"429 Slowly")),
                fixed(response(b"{}", status=b"529 Overloaded")),
                lambda visit, _: visit.transport.abortConnection(),
                None,
            ):
                running = await self.start(first, port=closed_port() if first is None else None)
                answer = await self.ask(running)
                self.assertEqual((answer.status, bytes(answer.body)), (200, CHAT_WHOLE.answer))
                self.assertEqual(bytes(self.second.requests[0].body), CHAT_WHOLE.request)
                [record] = running.records
                self.assertEqual((record["provider"], record["outcome"], record["usage"]), ("openai", "ok", "exact"))

        return ensureDeferred(scenario())

    def test_keys(self) -> Any:
        """The caller's key was for the first provider, and goes to no other."""

        async def scenario() -> None:
            running = await self.start(fixed(response(b"{}", status=b"500 No")))
            await self.ask(running)
            self.assertEqual(self.first.requests[0].all(b"authorization"), [b"Bearer k"])
            self.assertEqual(self.second.requests[0].all(b"authorization"), [])

        return ensureDeferred(scenario())

    def test_time_out(self) -> Any:
        """A provider that was given up may have done the work: its input is charged besides the answer of the next."""

        async def scenario() -> None:
            running = await self.start(lambda visit, _: None)
            answer = await self.ask(running)
            self.assertEqual(answer.status, 200)
            [record] = running.records
            both = record["cost_usd"]
            running = await self.start(fixed(GOOD))
            await self.ask(running)
            self.assertGreater(both, running.records[0]["cost_usd"])

        return ensureDeferred(scenario())

    def test_no_failure(self) -> Any:
        """Any other answer is the answer, 4xx included: the next provider would say the same."""

        async def scenario() -> None:
            for status in (b"400 Bad Request", b"404 Not Found", b"200 OK"):
                running = await self.start(fixed(response(CHAT_WHOLE.answer, status=status)))
                answer = await self.ask(running)
                self.assertEqual((answer.status, self.second.requests), (int(status[:3]), []))
                self.assertEqual(running.records[0]["provider"], "first")

        return ensureDeferred(scenario())

    def test_begun(self) -> Any:
        """Once the caller has some of an answer there is no way back, however it ends."""

        async def scenario() -> None:
            running = await self.start(fixed(STREAM_HEAD + chunk(CHAT_STREAM.answer[:200]) + chunk(b"")))
            answer = await self.ask(running, CHAT_STREAM.request)
            self.assertEqual((answer.status, answer.ended, self.second.requests), (200, False, []))
            self.assertEqual(running.records[0]["outcome"], "truncated")

        return ensureDeferred(scenario())

    def test_all_fail(self) -> Any:
        """When all fail the caller gets what the last one said, or a refusal that names it."""

        async def scenario() -> None:
            running = await self.start(fixed(response(b"1", status=b"500 No")), fixed(response(b"2", status=b"503 No")))
            answer = await self.ask(running)
            self.assertEqual((answer.status, bytes(answer.body)), (503, b"2"))
            running = await self.start(
                fixed(response(b"1", status=b"500 No")), lambda visit, _: visit.transport.abortConnection()
            )
            answer = await self.ask(running)
            self.assertEqual((answer.status, answer.one(b"x-agentgateway-reason")), (502, "upstream_unreachable"))
            self.assertIn(b"'openai'", answer.body)
            self.assertEqual(len(running.records), 1)

        return ensureDeferred(scenario())

    def test_uploads(self) -> Any:
        """A body that was streamed cannot be sent again: the first answer stands."""

        async def scenario() -> None:
            running = await self.start(fixed(response(b"1", status=b"500 No")))
            fields = (b"Content-Type", b"application/octet-stream"), (b"x-agent-id", b"coder")
            head = request(b"POST", b"/v1/files", None, *fields, (b"Content-Length", b"200000"))
            answer = await ask(self, running.port, head + b"x" * 200_000)
            self.assertEqual((answer.status, self.second.requests), (500, []))

        return ensureDeferred(scenario())

    def test_open_circuit(self) -> Any:
        """A provider that failed too often is not asked any more: calls go to the next one at once."""

        async def scenario() -> None:
            def failing(visit: Visit, _: Received) -> None:
                visit.say(response(b"{}", status=b"500 No"))

            running = await self.start(failing)
            for _ in range(8):
                self.assertEqual((await self.ask(running)).status, 200)
            self.assertEqual((len(self.first.requests), len(self.second.requests)), (5, 8))

        return ensureDeferred(scenario())
