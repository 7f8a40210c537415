"""What goes in comes out: requests and answers pass as they are, but for what the gateway says it changes."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import brotli
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import ANTHROPIC_STREAM, ANTHROPIC_WHOLE, CHAT_STREAM, CHAT_WHOLE
from tests.harness import CONFIG, Running, reactor, start_gateway, until
from tests.peers import (
    STREAM_HEAD,
    Answer,
    Field,
    Origin,
    Received,
    ask,
    call_in,
    chunk,
    fixed,
    head,
    post,
    request,
    response,
)

ENDLESS_LENGTH = 100 << 20
MEMORY = 10 << 20
"""Bytes by which an upload of 100 MB may make this process grow; both of its ends are in it, too."""
CHAT = b"/v1/chat/completions"
JSON = (b"Content-Type", b"application/json")
KEYS = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")


def echo_config(**providers: str) -> str:
    """The usual configuration with further keys for the named providers."""
    config = CONFIG
    for name, more in providers.items():
        old = f'  {name}: {{{{base_url: "{{provider}}"}}}}'
        assert old in config
        config = config.replace(old, f'  {name}: {{{{base_url: "{{provider}}", {more}}}}}')
    return config


class RequestTests(TestCase):
    """What of a request reaches the provider."""

    async def sent(self, running: Running, raw: bytes) -> Received:
        """The request that reached the provider for `raw`."""
        answer = await ask(self, running.port, raw)
        self.assertEqual(answer.status, 200, bytes(answer.body))
        received = running.origin.requests[-1]
        assert isinstance(received, Received)
        return received

    def test_fields(self) -> Any:
        """Known, unknown and repeated fields pass in their order and letter case; hop-by-hop ones do not."""
        passed = (
            (b"anthropic-version", b"2023-06-01"),
            (b"Anthropic-Beta", b"one"),
            (b"X-Stainless-Lang", b"python"),
            (b"anthropic-beta", b"two"),
            (b"x-claude-code-session-id", b"abc"),
            (b"x-Unheard-OF", b'\xe4 \t tab, "quotes"'),
            (b"x-empty", b""),
            (b"Cookie", b"a=b"),
            (b"User-Agent", b"test/1"),
            (b"traceparent", b"00-1-2-01"),
            (b"Forwarded", b"for=1.2.3.4"),
        )
        dropped = (
            (b"Connection", b"keep-alive, X-Private"),
            (b"connection", b"x-secret"),
            (b"X-Private", b"1"),
            (b"X-SECRET", b"2"),
            (b"Keep-Alive", b"timeout=5"),
            (b"Proxy-Authorization", b"Basic eDp5"),
            (b"Proxy-Connection", b"keep-alive"),
            (b"TE", b"trailers"),
            (b"Trailer", b"x-sum"),
            (b"Accept-Encoding", b"gzip, br"),
            (b"X-Agent-ID", b"coder"),
        )

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response())))
            mixed = [field for pair in zip(passed, dropped, strict=True) for field in pair]
            received = await self.sent(running, post(CHAT, b"{}", *mixed))
            names = {b"host", b"content-length", b"accept-encoding", b"content-type"}
            self.assertEqual([field for field in received.fields if field[0].lower() not in names], list(passed))
            self.assertEqual(received.all(b"accept-encoding"), [b"identity"])
            self.assertEqual(received.all(b"content-type"), [b"application/json"])
            self.assertEqual(received.all(b"content-length"), [b"2"])
            self.assertEqual(len(received.all(b"host")), 1)
            self.assertTrue(received.all(b"host")[0].startswith(b"127.0.0.1:"))
            self.assertEqual(running.records[0]["agent"], "coder")

        return ensureDeferred(scenario())

    def test_upgrade(self) -> Any:
        """An offer to go over to HTTP/2 is not taken up, and not passed on."""

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response())))
            offer = (b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAMA")
            received = await self.sent(running, post(CHAT, CHAT_WHOLE.request, *offer))
            for name in (b"connection", b"upgrade", b"http2-settings"):
                self.assertEqual(received.all(name), [])
            self.assertEqual(bytes(received.body), CHAT_WHOLE.request)

        return ensureDeferred(scenario())

    def test_protected_fields(self) -> Any:
        """`Connection` may not take away what gives the message its meaning, nor the key."""

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response())))
            named = (
                (b"Connection", b"content-type, authorization, content-length, host"),
                (b"Authorization", b"Bearer k"),
            )
            received = await self.sent(running, post(CHAT, b"{}", *named))
            self.assertEqual(received.all(b"authorization"), [b"Bearer k"])
            self.assertEqual(received.all(b"content-type"), [b"application/json"])

        return ensureDeferred(scenario())

    def test_targets(self) -> Any:
        """Paths and queries arrive as they were sent, odd characters and all; the gateway's own prefixes are taken off."""
        odd = (
            b"/v1/chat/completions?a=1&a=2&b=%2F%00&c=+",
            b"/v1/models/org%2Fmodel:free",
            b"/v1//double",
            b"/v1/files/%E2%82%AC;v=1/@me,$!*'()",
            b"/v1/trailing/?",
            b"/api/v1/things",
            b"/health/of/others",
            b"/agentsmith",
            b"/providersx/y",
            b"/v1/messages?x=/agents/nobody",
        )
        prefixed = {
            b"/agents/coder/v1/models": b"/v1/models",
            b"/agents/coder?x=1": b"/?x=1",
            b"/providers/openai/v1/models?x=1": b"/v1/models?x=1",
            b"/agents/coder/providers/openai/v1/models": b"/v1/models",
            b"/agents/coder/agents/coder/v1": b"/agents/coder/v1",
            b"/providers/openai/agents/coder/v1": b"/agents/coder/v1",
        }

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response())))
            for sent, expected in [*((target, target) for target in odd), *prefixed.items()]:
                received = await self.sent(running, request(b"POST", sent, b"{}", JSON, (b"x-agent-id", b"coder")))
                self.assertEqual(received.target, expected)

        return ensureDeferred(scenario())

    def test_probe(self) -> Any:
        """`GET /` and `HEAD /`, also behind an agent's prefix, are answered without a call upstream."""

        async def scenario() -> None:
            origin = Origin(fixed(response()))
            running = await start_gateway(self, factory=origin)
            for target in (b"/", b"/?x=1", b"/agents/coder", b"/agents/coder/"):
                answer = await ask(self, running.port, request(b"GET", target, None))
                self.assertEqual((answer.status, answer.ended), (200, True), target)
                raw = await self.raw(running, request(b"HEAD", target, None, (b"Connection", b"close")))
                self.assertTrue(raw.startswith(b"HTTP/1.1 200 OK\r\n") and raw.endswith(b"\r\n\r\n"), raw)
            self.assertEqual((origin.requests, running.records), ([], []))

        return ensureDeferred(scenario())

    async def raw(self, running: Running, sent: bytes) -> bytes:
        """All bytes that come until the gateway closes."""
        from tests.harness import connect

        client = await connect(self, running.port)
        client.transport.write(sent)
        await client.closed
        return client.received

    def test_methods(self) -> Any:
        """Every method passes, with and without a body; HEAD is answered with a head alone."""

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response(b'{"a":1}'))))
            for method in (b"GET", b"DELETE", b"PUT", b"PATCH", b"OPTIONS", b"POST"):
                for body in (None, b"{}"):
                    received = await self.sent(running, request(method, b"/v1/files/x", body))
                    self.assertEqual((received.method, bytes(received.body)), (method, body or b""))
                    self.assertEqual(received.all(b"transfer-encoding"), [])
            running.origin.script = lambda visit, _: visit.say(head(b"200 OK", JSON, (b"Content-Length", b"1234")))
            raw = await self.raw(running, request(b"HEAD", b"/v1/models", None, (b"Connection", b"close")))
            self.assertIn(b"Content-Length: 1234\r\n", raw)
            self.assertTrue(raw.endswith(b"\r\n\r\n"))
            self.assertEqual((running.records[-1]["method"], running.records[-1]["outcome"]), ("HEAD", "ok"))

        return ensureDeferred(scenario())

    def test_base_path(self) -> Any:
        """The path of a base URL goes before the call's, unless it is there already."""

        async def scenario() -> None:
            config = CONFIG.replace('openai: {{base_url: "{provider}"}}', 'openai: {{base_url: "{provider}/openai"}}')
            running = await start_gateway(self, config, Origin(fixed(response())))
            for sent, expected in (
                (b"/v1/models?a=b", b"/openai/v1/models?a=b"),
                (b"/openai/v1/models", b"/openai/v1/models"),
                (b"/openai?x", b"/openai?x"),
                (b"/openaix/v1", b"/openai/openaix/v1"),
                (b"/v1/openai/models", b"/openai/v1/openai/models"),
            ):
                received = await self.sent(running, post(sent, b"{}", (b"x-agent-id", b"coder")))
                self.assertEqual(received.target, expected)

        return ensureDeferred(scenario())

    def test_keys(self) -> Any:
        """The agent's key comes before the provider's before the caller's own, in the header its provider wants."""
        config = echo_config(anthropic='api_key: "pa"', openai='api_key: "po"', google='api_key: "pg"').replace(
            "  coder: {{provider: openai",
            '  own: {{provider: anthropic, api_key: "aa"}}\n  coder: {{provider: openai',
        )
        callers = tuple((name, b"callers") for name in KEYS)

        async def scenario() -> None:
            running = await start_gateway(self, config, Origin(fixed(response())))
            google = b"/v1beta/models/gemini-2.5-flash:generateContent"
            for path, agent, expected in (
                (b"/v1/messages", b"own", (b"x-api-key", b"aa")),
                (b"/v1/messages", b"researcher", (b"x-api-key", b"pa")),
                (CHAT, b"coder", (b"authorization", b"Bearer po")),
                (google, b"anybody", (b"x-goog-api-key", b"pg")),
            ):
                received = await self.sent(running, post(path, b"{}", *callers, (b"x-agent-id", agent)))
                shown = [(name.lower(), value) for name, value in received.fields if name.lower() in KEYS]
                self.assertEqual(shown, [expected])

        return ensureDeferred(scenario())

    def test_own_key(self) -> Any:
        """Where the gateway has no key the caller's own passes untouched, whatever header it is in."""

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response())))
            fields = (b"X-Api-Key", b" sk-1 "), (b"Authorization", b"Bearer sk-2"), (b"x-goog-api-key", b"3")
            received = await self.sent(running, post(CHAT, b"{}", *fields))
            shown = [(name, value.strip()) for name, value in received.fields if name.lower() in KEYS]
            self.assertEqual(shown, [(name, value.strip()) for name, value in fields])

        return ensureDeferred(scenario())

    def test_model(self) -> Any:
        """A model that is missing is put in, every other byte staying as it was; one that is there is left alone."""

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response(ANTHROPIC_WHOLE.answer))))
            fields = ((b"x-agent-id", b"researcher"),)
            body = b'{ "max_tokens" : 1.50e1,\n"messages":[],"messages":[] }'
            received = await self.sent(running, post(b"/v1/messages", body, *fields))
            self.assertEqual(bytes(received.body), b'{"model":"claude-sonnet-4-5",' + body[1:])
            for kept in (b'{"model":"claude-opus-4-1"}', b'{"a":[1e400],"model" : "x"}'):
                received = await self.sent(running, post(b"/v1/messages", kept, *fields))
                self.assertEqual(bytes(received.body), kept)
            records = running.records
            self.assertEqual([record["requested_model"] for record in records], [None, "claude-opus-4-1", "x"])

        return ensureDeferred(scenario())

    def test_chunked(self) -> Any:
        """A chunked JSON body arrives whole, with a length; trailers and chunk extensions stay behind."""

        async def scenario() -> None:
            running = await start_gateway(self, factory=Origin(fixed(response())))
            raw = request(b"POST", CHAT, None, JSON, (b"Transfer-Encoding", b"chunked"))
            received = await self.sent(
                running, raw + b'1;x=y\r\n{\r\n6\r\n"a": 1\r\n1\r\n}\r\n0\r\nx-trailer: 1\r\n\r\n'
            )
            self.assertEqual((bytes(received.body), received.all(b"content-length")), (b'{"a": 1}', [b"8"]))
            self.assertEqual((received.all(b"x-trailer"), received.all(b"transfer-encoding")), ([], []))

        return ensureDeferred(scenario())

    def test_uploads_stream(self) -> Any:
        """An upload of 100 MB passes while it comes, with its length or in chunks, and without filling the memory."""
        config = CONFIG.replace("state_dir:", "max_body_bytes: 200000000, state_dir:")
        piece = b"x" * (1 << 20)
        multipart = (b"Content-Type", b"multipart/form-data; boundary=b")

        async def upload(running: Running, head: bytes, framed: bytes, last: bytes) -> Answer:
            caller = await call_in(self, running.port)
            done = caller.done
            caller.transport.write(head)
            for _ in range(ENDLESS_LENGTH >> 20):
                await written(caller)
                caller.transport.write(framed)
            caller.transport.write(last)
            return await done  # type: ignore[no-any-return]

        async def written(caller: Any) -> None:
            while caller.transport.dataBuffer or caller.transport._tempDataBuffer:
                turn: Deferred[None] = Deferred()
                reactor.callLater(0, turn.callback, None)
                await turn

        async def scenario() -> None:
            origin = Origin(fixed(response()), keeps=False)
            running = await start_gateway(self, config, origin)
            length = (b"Content-Length", b"%d" % ENDLESS_LENGTH)
            before = resident()
            answer = await upload(running, request(b"POST", b"/v1/files", None, multipart, length), piece, b"")
            self.assertEqual(answer.status, 200)
            self.assertGreater(origin.heard, ENDLESS_LENGTH)
            self.assertEqual(origin.requests[-1].all(b"content-length"), [length[1]])
            chunked = (b"Transfer-Encoding", b"chunked")
            raw = request(b"POST", b"/v1/files", None, multipart, chunked)
            answer = await upload(running, raw, chunk(piece), chunk(b""))
            self.assertEqual(answer.status, 200)
            self.assertGreater(origin.heard, 2 * ENDLESS_LENGTH)
            self.assertEqual(origin.requests[-1].all(b"transfer-encoding"), [b"chunked"])
            self.assertLess(resident() - before, MEMORY)

        return ensureDeferred(scenario())


def resident() -> int:
    """Bytes of memory this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class AnswerTests(TestCase):
    """What of an answer reaches the caller."""

    async def got(self, answer: bytes, raw: bytes = b"", **config: Any) -> tuple[Answer, dict[str, Any]]:
        """(what the caller got of an answer, its record)."""
        running = await start_gateway(self, factory=Origin(fixed(answer)))
        got = await ask(self, running.port, raw or post(CHAT, CHAT_WHOLE.request))
        return got, running.records[-1]

    def test_fields(self) -> Any:
        """Fields pass in order and letter case, repeated ones too; hop-by-hop ones do not; the record's id is added."""
        passed: tuple[Field, ...] = (
            (b"content-type", b"application/json"),
            (b"Request-Id", b"req_1"),
            (b"Set-Cookie", b"a=1"),
            (b"x-ratelimit-Remaining-requests", b"9"),
            (b"set-cookie", b"b=2"),
            (b"Retry-After", b"7"),
            (b"X-Unheard-Of", b"\xff, y"),
            (b"Server", b"them"),
            (b"Date", b"Mon, 23 Nov 2026 00:00:00 GMT"),
        )
        dropped: tuple[Field, ...] = (
            (b"Connection", b"keep-alive, x-hop"),
            (b"X-Hop", b"1"),
            (b"Keep-Alive", b"timeout=5"),
            (b"Proxy-Authenticate", b"Basic"),
            (b"Trailer", b"x"),
        )

        async def scenario() -> None:
            got, record = await self.got(response(b"{}", *passed[:5], *dropped, *passed[5:]))
            expected = [*passed, (b"Content-Length", b"2"), (b"x-agentgateway-request-id", record["id"].encode())]
            self.assertEqual(got.fields, expected)

        return ensureDeferred(scenario())

    def test_status(self) -> Any:
        """Status and reason phrase pass, the unusual and the empty ones too; 4xx and 5xx bodies untouched and free."""

        async def scenario() -> None:
            for line in (
                b"200 Fine",
                b"201 Created",
                b"418 I'm a teapot",
                b"429 Slow Down",
                b"500 ",
                b"529 Overloaded",
            ):
                got, record = await self.got(response(b'{"x": 1}', status=line))
                status, phrase = line.split(b" ", 1)
                self.assertEqual((got.status, got.phrase, bytes(got.body)), (int(status), phrase, b'{"x": 1}'))
                self.assertEqual(record["status"], int(status))
                if got.status >= 400:
                    self.assertEqual((record["outcome"], record["cost_usd"]), ("upstream_error", 0))

        return ensureDeferred(scenario())

    def test_without_a_body(self) -> Any:
        """204 and 304 pass, with their fields, and the connection goes on."""

        async def scenario() -> None:
            for line in (b"204 No Content", b"304 Not Modified"):
                running = await start_gateway(self, factory=Origin(fixed(head(line, (b"ETag", b'"x"')))))
                caller = await call_in(self, running.port)
                for _ in range(2):
                    got = await caller.ask(request(b"GET", b"/v1/models", None))
                    self.assertEqual((got.status, got.ended, bytes(got.body)), (int(line[:3]), True, b""))
                    self.assertEqual(got.all(b"etag"), [b'"x"'])
                self.assertEqual(got.all(b"transfer-encoding"), [])
                self.assertEqual(len(running.records), 2)

        return ensureDeferred(scenario())

    def test_redirect(self) -> Any:
        """A redirect is passed on, never followed."""

        async def scenario() -> None:
            location = (b"Location", b"https://elsewhere.test/v1")
            got, record = await self.got(response(b"", location, status=b"307 Temporary Redirect"))
            self.assertEqual((got.status, got.all(b"location")), (307, [location[1]]))
            self.assertEqual((record["status"], record["outcome"]), (307, "ok"))

        return ensureDeferred(scenario())

    def test_interim(self) -> Any:
        """100 and 103 of a provider are not the answer; the caller gets that, and its own 100 only where it waits."""

        async def scenario() -> None:
            for interim in (b"100 Continue", b"103 Early Hints"):
                got, record = await self.got(head(interim, (b"Link", b"</x>")) + response(CHAT_WHOLE.answer))
                self.assertEqual((got.status, bytes(got.body)), (200, CHAT_WHOLE.answer))
                self.assertEqual((got.all(b"link"), record["usage"]), ([], "exact"))

        return ensureDeferred(scenario())

    def test_compressed(self) -> Any:
        """An answer that is compressed all the same passes as it is, whole or streamed, and is metered."""
        squeeze = {b"gzip": gzip.compress, b"br": brotli.compress}

        async def scenario() -> None:
            for fixture in (CHAT_WHOLE, CHAT_STREAM, ANTHROPIC_WHOLE, ANTHROPIC_STREAM):
                for coding, compress in squeeze.items():
                    kind = b"text/event-stream" if fixture.stream else b"application/json"
                    packed = compress(fixture.answer)
                    raw = post(fixture.path.encode(), fixture.request)
                    answer = response(packed, (b"Content-Type", kind), (b"Content-Encoding", coding))
                    got, record = await self.got(answer, raw)
                    self.assertEqual((bytes(got.body), got.all(b"content-encoding")), (packed, [coding]))
                    self.assertEqual((record["usage"], record["output_tokens"]), ("exact", fixture.usage.output))

        return ensureDeferred(scenario())

    def test_usage_chunk(self) -> Any:
        """An OpenAI stream is asked for its usage, and the chunk that says it is taken out again, however it is cut."""
        asked = b'"stream_options":{"include_usage":true},'
        plain = b'{"model":"gpt-4o","stream":true,"messages":[]}'
        text = [b'data: {"model":"gpt-4o","choices":[{"delta":{"content":"h\xc3\xa9"}}]}\n\n', b"data: [DONE]\n\n"]
        usage = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n'
        whole = text[0] + usage + text[1]

        async def scenario() -> None:
            for size in (1000, 100, 7, 1):
                parts = [chunk(whole[at : at + size]) for at in range(0, len(whole), size)]
                origin = Origin(lambda visit, _, parts=parts: visit.say(STREAM_HEAD, *parts, chunk(b"")))
                running = await start_gateway(self, factory=origin)
                got = await ask(self, running.port, post(CHAT, plain))
                self.assertEqual((bytes(got.body), got.ended), (b"".join(text), True))
                self.assertEqual(bytes(origin.requests[-1].body), b"{" + asked + plain[1:])
                [record] = running.records
                self.assertEqual((record["input_tokens"], record["output_tokens"], record["usage"]), (9, 2, "exact"))
            for body in (
                b"{" + asked + plain[1:],
                plain.replace(b'"stream":', b'"stream_options": {"include_usage":true },"stream":'),
            ):
                got = await ask(self, running.port, post(CHAT, body))
                self.assertEqual((bytes(got.body), bytes(origin.requests[-1].body)), (whole, body))

        return ensureDeferred(scenario())

    def test_usage_chunk_with_length(self) -> Any:
        """Where a stream has a length, that goes with the chunk that is taken out."""
        usage = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
        rest = b"data: [DONE]\n\n"

        async def scenario() -> None:
            raw = post(CHAT, b'{"model":"gpt-4o","stream":true}')
            got, _ = await self.got(response(usage + rest, (b"Content-Type", b"text/event-stream")), raw)
            self.assertEqual((bytes(got.body), got.ended, got.all(b"content-length")), (rest, True, []))

        return ensureDeferred(scenario())

    def test_early_answer(self) -> Any:
        """An answer that comes before the body is through reaches the caller, who may stop sending."""

        async def scenario() -> None:
            refusal = response(b'{"error":"too large"}', status=b"413 Content Too Large")
            origin = Origin(lambda visit, _: None, lambda visit: visit.say(refusal))
            running = await start_gateway(self, factory=origin)
            fields = (b"Content-Type", b"application/octet-stream"), (b"Content-Length", b"1000000")
            caller = await call_in(self, running.port)
            got = await caller.ask(request(b"POST", b"/v1/files", None, *fields) + b"x" * 1000)
            self.assertEqual((got.status, got.ended, bytes(got.body)), (413, True, b'{"error":"too large"}'))
            self.assertEqual(got.all(b"connection"), [b"close"])
            [record] = running.records
            self.assertEqual((record["status"], record["outcome"]), (413, "upstream_error"))
            await until(lambda: running.quiet)
            caller.transport.write(b"x" * 500_000)
            caller.transport.loseConnection()
            await caller.closed

        return ensureDeferred(scenario())

    def test_keep_alive(self) -> Any:
        """Calls on one connection, pipelined ones too, are answered in order over one connection to the provider."""

        async def scenario() -> None:
            origin = Origin(lambda visit, got: visit.say(response(b"[%b]" % got.target)))
            running = await start_gateway(self, factory=origin)
            caller = await call_in(self, running.port)
            for at in range(3):
                got = await caller.ask(request(b"GET", b"/v1/models/%d" % at, None))
                self.assertEqual(bytes(got.body), b"[/v1/models/%d]" % at)
            caller.transport.write(b"".join(request(b"GET", b"/v1/models/p%d" % at, None) for at in range(20)))
            await until(lambda: caller.raw.count(b"[/v1/models/p") == 20)
            self.assertEqual(len(origin.visits), 1)
            order = [json.loads(line)["path"] for line in _lines(running)]
            self.assertEqual(order[3:], [f"/v1/models/p{at}" for at in range(20)])

        return ensureDeferred(scenario())

    def test_old_caller(self) -> Any:
        """A caller that speaks HTTP/1.0 gets a stream that ends with its connection."""

        async def scenario() -> None:
            stream = STREAM_HEAD + chunk(CHAT_STREAM.answer) + chunk(b"")
            running = await start_gateway(self, factory=Origin(fixed(stream)))
            from tests.harness import connect

            client = await connect(self, running.port)
            body = CHAT_STREAM.request
            client.transport.write(b"POST %b HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (CHAT, len(body), body))
            await client.closed
            self.assertTrue(client.received.endswith(b"\r\n\r\n" + CHAT_STREAM.answer))
            self.assertNotIn(b"chunked", client.received)

        return ensureDeferred(scenario())


def _lines(running: Running) -> list[str]:
    return Path(str(running.service.live.config.audit.log_file)).read_text().splitlines()
