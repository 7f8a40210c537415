"""How a call ends: the caller leaves, the provider breaks off, or all is well; and what is in the books by then."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import ANTHROPIC_STREAM, ANTHROPIC_WHOLE, CHAT_STREAM, RESPONSES_STREAM, Fixture
from tests.harness import CONFIG, Running, reactor, start_gateway, until
from tests.peers import (
    STREAM_HEAD,
    Answer,
    Caller,
    Origin,
    Received,
    Visit,
    call_in,
    chunk,
    deaf_port,
    head,
    post,
    request,
    response,
)

TRIES = 5
PROMPT = 0.05
"""Seconds within which the provider's connection must be closed once the caller has left."""
DRAINING = CONFIG.replace("base_url", "on_disconnect: drain, base_url")


def silent(visit: Visit, request: Received) -> None:
    """A script that never answers."""


def first_half(fixture: Fixture) -> Callable[[Visit, Received], None]:
    """A script that streams half of an answer."""
    return lambda visit, request: visit.say(STREAM_HEAD + chunk(fixture.answer[: len(fixture.answer) // 2]))


def streamed(fixture: Fixture, *fields: tuple[bytes, bytes]) -> bytes:
    """The request of a fixture."""
    return post(fixture.path.encode(), fixture.request, *fields)


class LeavingTests(TestCase):
    """A caller that leaves takes its call along, wherever that stands."""

    async def leave(
        self, running: Running, raw: bytes, ready: Callable[[Caller], Any], over: Callable[[], Any]
    ) -> float:
        """Call, leave once `ready`; the seconds until it is `over`, and the call with it."""
        caller = await call_in(self, running.port)
        caller.transport.write(raw)
        await until(lambda: ready(caller))
        left = caller.leave()
        await until(over)
        took = float(reactor.seconds()) - left
        await until(lambda: running.quiet)
        return took

    async def check(self, running: Running, raw: bytes, ready: Any, over: Any, **expected: Any) -> None:
        """Leave a few times: the fastest shows that nothing waits for a timer; every record is as expected."""
        times = [await self.leave(running, raw, ready, over) for _ in range(TRIES)]
        self.assertLess(min(times), PROMPT)
        self.assertEqual(len(running.records), TRIES)
        for record in running.records:
            self.assertEqual({key: record[key] for key in expected}, expected)
            self.assertEqual(record["outcome"], "client_gone")
            self.assertEqual(record["cost_usd"] > 0, record["usage"] != "none")

    def test_while_connecting(self) -> Any:
        """The connection that is being made is given up; nothing was sent, so nothing is charged."""

        async def scenario() -> None:
            config = CONFIG.replace(
                'openai: {{base_url: "{provider}"}}', 'openai: {{base_url: "http://127.0.0.1:PORT"}}'
            )
            running = await start_gateway(self, config.replace("PORT", str(deaf_port(self))))
            agent = running.service.upstreams["openai"].agent
            raw = streamed(CHAT_STREAM)
            connecting = lambda caller: agent.counts == (1, 0)  # noqa: E731
            await self.check(running, raw, connecting, lambda: agent.counts == (0, 0), usage="none")

        return ensureDeferred(scenario())

    def test_while_sending_json(self) -> Any:
        """A caller that leaves within a body that is read whole has not called any provider."""

        async def scenario() -> None:
            origin = Origin(silent)
            running = await start_gateway(self, factory=origin)
            raw = streamed(CHAT_STREAM, (b"Expect", b"100-continue")).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            channels = running.service.server.channels
            invited = lambda caller: caller.interim == [100]  # noqa: E731
            await self.check(running, raw, invited, lambda: not channels, usage="none")
            self.assertEqual(origin.visits, [])

        return ensureDeferred(scenario())

    def test_while_uploading(self) -> Any:
        """A caller that leaves within an upload takes the upload's connection along."""

        async def scenario() -> None:
            origin = Origin(silent)
            running = await start_gateway(self, factory=origin)
            fields = (b"Content-Type", b"application/octet-stream"), (b"Content-Length", b"100000")
            raw = request(b"POST", b"/v1/files", None, *fields) + b"x" * 50_000

            def ready(caller: Caller) -> bool:
                return bool(origin.visits) and origin.heard > 50_000 * (1 + len(running.records))

            await self.check(running, raw, ready, lambda: not origin.visits, usage="none")
            self.assertEqual(origin.requests, [])

        return ensureDeferred(scenario())

    def test_before_the_head(self) -> Any:
        """The provider may be at work: its connection is closed, and the input is charged."""

        async def scenario() -> None:
            origin = Origin(silent)
            running = await start_gateway(self, factory=origin)

            def ready(caller: Caller) -> bool:
                return len(origin.requests) > len(running.records)

            raw = streamed(ANTHROPIC_STREAM)
            await self.check(running, raw, ready, lambda: not origin.visits, usage="estimated", output_tokens=0)

        return ensureDeferred(scenario())

    def test_mid_stream(self) -> Any:
        """The provider's connection is closed, and what came is charged."""

        async def scenario() -> None:
            for fixture in (ANTHROPIC_STREAM, CHAT_STREAM, RESPONSES_STREAM):
                origin = Origin(first_half(fixture))
                running = await start_gateway(self, factory=origin)
                ready = lambda caller: b"data:" in caller.answer.body  # noqa: E731
                raw = streamed(fixture)
                await self.check(running, raw, ready, lambda at=origin: not at.visits, usage="estimated", status=200)

        return ensureDeferred(scenario())

    def test_mid_answer(self) -> Any:
        """The same within an answer that is no stream."""

        async def scenario() -> None:
            whole = response(ANTHROPIC_WHOLE.answer)
            origin = Origin(lambda visit, request: visit.say(whole[:-30]))
            running = await start_gateway(self, factory=origin)
            ready = lambda caller: caller.answer.body  # noqa: E731
            raw = streamed(ANTHROPIC_WHOLE)
            await self.check(running, raw, ready, lambda: not origin.visits, usage="estimated", status=200)

        return ensureDeferred(scenario())

    def test_behind_the_terminal_event(self) -> Any:
        """A caller that closes as soon as it has seen the last event got its answer, whole and exactly metered."""

        async def scenario() -> None:
            for fixture in (ANTHROPIC_STREAM, CHAT_STREAM, RESPONSES_STREAM):
                origin = Origin(lambda visit, _, all=fixture.answer: visit.say(STREAM_HEAD + chunk(all)))
                running = await start_gateway(self, factory=origin)
                complete = lambda caller, all=fixture.answer: bytes(caller.answer.body) == all  # noqa: E731
                await self.leave(running, streamed(fixture), complete, lambda at=origin: not at.visits)
                [record] = running.records
                self.assertEqual((record["outcome"], record["usage"]), ("ok", "exact"), fixture.name)
                self.assertEqual(record["output_tokens"], fixture.usage.output)

        return ensureDeferred(scenario())

    def test_drain(self) -> Any:
        """With `on_disconnect: drain` the answer is read to its end for the meter, and the usage is exact."""

        async def scenario() -> None:
            for fixture in (ANTHROPIC_STREAM, CHAT_STREAM):
                at = len(fixture.answer) // 2
                go_on: Deferred[None] = Deferred()

                def script(
                    visit: Visit, _: Received, body: bytes = fixture.answer, at: int = at, on: Any = go_on
                ) -> None:
                    visit.say(STREAM_HEAD + chunk(body[:at]))
                    on.addCallback(lambda _: visit.say(chunk(body[at:]), chunk(b"")))

                origin = Origin(script)
                running = await start_gateway(self, DRAINING, origin)
                caller = await call_in(self, running.port)
                caller.transport.write(streamed(fixture))
                await until(lambda: b"data:" in caller.answer.body)  # noqa: B023
                caller.leave()
                await until(lambda: not running.service.server.channels)  # noqa: B023
                self.assertEqual((len(origin.visits), running.in_flight, running.records), (1, 1, []))
                go_on.callback(None)
                await until(lambda: running.quiet)  # noqa: B023
                [record] = running.records
                self.assertEqual((record["outcome"], record["usage"]), ("client_gone", "exact"), fixture.name)
                self.assertEqual(record["output_tokens"], fixture.usage.output)

        return ensureDeferred(scenario())

    def test_drain_a_broken_stream(self) -> Any:
        """A stream that breaks while it is drained is settled by what came, like any other."""

        async def scenario() -> None:
            break_off: Deferred[None] = Deferred()

            def script(visit: Visit, request: Received) -> None:
                first_half(ANTHROPIC_STREAM)(visit, request)
                break_off.addCallback(lambda _: visit.transport.abortConnection())

            running = await start_gateway(self, DRAINING, Origin(script))
            caller = await call_in(self, running.port)
            caller.transport.write(streamed(ANTHROPIC_STREAM))
            await until(lambda: b"data:" in caller.answer.body)
            caller.leave()
            await until(lambda: not running.service.server.channels)
            break_off.callback(None)
            await until(lambda: running.quiet)
            [record] = running.records
            self.assertEqual((record["outcome"], record["usage"]), ("client_gone", "estimated"))

        return ensureDeferred(scenario())

    def test_next_on_the_connection(self) -> Any:
        """A caller that leaves with requests still waiting behind the one at work costs one call."""

        async def scenario() -> None:
            origin = Origin(silent)
            running = await start_gateway(self, factory=origin)
            caller = await call_in(self, running.port)
            caller.transport.write(streamed(CHAT_STREAM) * 3)
            await until(lambda: origin.requests)
            caller.leave()
            await until(lambda: running.quiet and not origin.visits)
            self.assertEqual((len(origin.requests), len(running.records)), (1, 1))

        return ensureDeferred(scenario())


class BooksTests(TestCase):
    """A call is in the audit log before its caller can know that it is over."""

    async def seen(self, raw: bytes, script: Callable[[Visit, Received], Any], over: Callable[[Answer], Any]) -> None:
        """The record is in the file at the very moment `over` becomes true of what the caller got."""
        running = await start_gateway(self, factory=Origin(script))
        caller = await call_in(self, running.port)
        found: list[int] = []

        def watch(answer: Answer) -> None:
            if over(answer):
                found.append(len(running.records))

        caller.watch = watch
        await caller.ask(raw)
        self.assertEqual(found[:1], [1])
        [record] = running.records
        self.assertEqual(caller.answer.all(b"x-agentgateway-request-id"), [record["id"].encode()])

    def test_streams(self) -> Any:
        """The terminal event of a stream, however it was cut, comes when the call has been written down."""

        async def scenario() -> None:
            for fixture in (ANTHROPIC_STREAM, CHAT_STREAM, RESPONSES_STREAM):
                for size in (1 << 20, 700, 13):
                    answer = fixture.answer
                    parts = [chunk(answer[at : at + size]) for at in range(0, len(answer), size)]
                    script = lambda visit, _, parts=parts: visit.say(STREAM_HEAD, *parts, chunk(b""))  # noqa: E731
                    whole = lambda got, answer=answer: bytes(got.body) == answer  # noqa: E731
                    await self.seen(streamed(fixture), script, whole)

        return ensureDeferred(scenario())

    def test_whole_answers(self) -> Any:
        """So does the last byte of an answer with a length, in chunks, or up to the end of the connection."""

        async def scenario() -> None:
            body = ANTHROPIC_WHOLE.answer
            json = (b"Content-Type", b"application/json")
            chunked = head(b"200 OK", json, (b"Transfer-Encoding", b"chunked"))
            ways: list[Callable[[Visit, Received], Any]] = [
                lambda visit, _: visit.say(response(body)),
                lambda visit, _: visit.say(response(body)[:-20], body[-20:-10], body[-10:]),
                lambda visit, _: visit.say(chunked + chunk(body) + chunk(b"")),
                lambda visit, _: visit.say(chunked, chunk(body[:50]), chunk(body[50:]), chunk(b"")),
                lambda visit, _: (
                    visit.transport.write(head(b"200 OK", json) + body),
                    visit.transport.loseConnection(),
                ),
            ]
            for way in ways:
                await self.seen(streamed(ANTHROPIC_WHOLE), way, lambda got: got.ended)
            for way in ways[:2]:
                await self.seen(streamed(ANTHROPIC_WHOLE), way, lambda got: bytes(got.body) == body)

        return ensureDeferred(scenario())

    def test_broken_streams(self) -> Any:
        """So does the error event of a stream that broke off."""

        async def scenario() -> None:
            half = ANTHROPIC_STREAM.answer[: len(ANTHROPIC_STREAM.answer) // 2]

            def script(visit: Visit, _: Received) -> None:
                visit.say(STREAM_HEAD, chunk(half), chunk(b""))

            await self.seen(streamed(ANTHROPIC_STREAM), script, lambda got: b"event: error" in got.body)

        return ensureDeferred(scenario())

    def test_refusals(self) -> Any:
        """So does a refusal."""

        async def scenario() -> None:
            raw = streamed(ANTHROPIC_WHOLE, (b"x-agent-id", b"no body"))
            await self.seen(raw, silent, lambda got: got.body)

        return ensureDeferred(scenario())
