"""Everything that can be wrong with a request, or with a provider: each a refusal that the caller's SDK understands."""

import json
import os
from hashlib import sha256
from typing import Any

import attrs
from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tests.certificates import write_to
from tests.harness import CONFIG, Running, listen, reactor, start_gateway, sweep_often, until
from tests.peers import Answer, Field, Origin, Received, Visit, ask, closed_port, deaf_port, fixed, post, response

ANTHROPIC, OPENAI, GOOGLE = b"/v1/messages", b"/v1/chat/completions", b"/v1beta/models/gemini-2.5-flash:generateContent"
PATHS = (ANTHROPIC, OPENAI, GOOGLE)
BODY = b'{"model":"gpt-4o","max_tokens":64,"messages":[{"role":"user","content":"hello"}],"contents":[]}'
WORDS = {
    "unknown_agent": ("authentication_error", "invalid_api_key", "UNAUTHENTICATED"),
    "bad_key": ("authentication_error", "invalid_api_key", "UNAUTHENTICATED"),
    "bad_request": ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    "upstream_unreachable": ("api_error", "upstream_error", "UNAVAILABLE"),
    "upstream_timeout": ("api_error", "upstream_error", "DEADLINE_EXCEEDED"),
}
PATIENT = "circuit_breaker: {{error_threshold: 1000000}}"
LENIENT = CONFIG.replace('"*": {{}}', '"*": {{' + PATIENT + "}}")
STRICT = CONFIG.replace('  "*": {{}}\n', "").replace("state_dir:", "max_body_bytes: 50000, state_dir:")
KEYED = CONFIG.replace(
    "audit:",
    f"""  secretive: {{{{provider: openai, key: "sha256:{sha256(b"agw-one").hexdigest()}"}}}}
  private: {{{{provider: anthropic, key: "sha256:{sha256(b"agw-two").hexdigest()}"}}}}
audit:""",
)


@attrs.frozen
class Bad:
    """One mistake: fields that a call carries, and what comes of it."""

    what: str
    fields: tuple[Field, ...]
    reason: str
    status: int
    prefix: bytes = b""
    body: bytes = BODY


def named(*ids: bytes) -> tuple[Field, ...]:
    """x-agent-id headers."""
    return tuple((b"x-agent-id", one) for one in ids)


WRONG_CALLERS = (
    Bad("an unknown agent", named(b"nobody"), "unknown_agent", 401),
    Bad("an unknown agent in the path", (), "unknown_agent", 401, b"/agents/nobody"),
    Bad("no agent at all", (), "unknown_agent", 401),
    Bad("an id with a blank", named(b"a b"), "unknown_agent", 401),
    Bad("an id that is too long", named(b"x" * 129), "unknown_agent", 401),
    Bad("an id that is not ASCII", named("ägent".encode()), "unknown_agent", 401),
    Bad("an id that climbs", named(b"../coder"), "unknown_agent", 401),
    Bad("an empty id", named(b""), "unknown_agent", 401),
    Bad("the template's name", named(b"*"), "unknown_agent", 401),
    Bad("another letter case", named(b"CODER"), "unknown_agent", 401),
    Bad("two ids", named(b"coder", b"researcher"), "bad_request", 400),
    Bad("the same id twice", named(b"coder", b"coder"), "bad_request", 400),
    Bad("an id named by Connection", (*named(b"coder"), (b"Connection", b"X-Agent-Id")), "bad_request", 400),
    Bad("an underscore in the name", ((b"x_agent_id", b"coder"),), "unknown_agent", 401),
    Bad("a body that is too large", named(b"coder"), "bad_request", 413, body=b'{"a":"' + b"x" * 60_000 + b'"}'),
    Bad("a provider that is not there", named(b"coder"), "bad_request", 404, b"/providers/nowhere"),
    Bad("a provider that is another's", named(b"coder"), "bad_request", 404, b"/providers/anthropic"),
    Bad("another's provider behind the agent", (), "bad_request", 404, b"/agents/coder/providers/google"),
)
WRONG_KEYS = (
    Bad("no key", named(b"secretive"), "bad_key", 401),
    Bad("no key, in the path", (), "bad_key", 401, b"/agents/secretive"),
    Bad("a wrong key", (*named(b"secretive"), (b"x-api-key", b"agw-three")), "bad_key", 401),
    Bad("a wrong bearer", (*named(b"secretive"), (b"Authorization", b"Bearer agw-three")), "bad_key", 401),
    Bad("the key as basic", (*named(b"secretive"), (b"Authorization", b"Basic agw-one")), "bad_key", 401),
    Bad("an id of two words", named(b"no body"), "unknown_agent", 401),
)
FRAMING = (
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n{}",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\nHost : x\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"POST /v1/messages HTTP/3.0\r\nHost: x\r\n\r\n",
    b"POST http://elsewhere.test/v1/messages HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/../messages HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/messages#top HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT api.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-a: 1\r\n folded\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-a: \x00\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 is TLS\r\n\r\n",
)
UNREACHABLE = ("reset-before-head", "close-before-head", "garbage")
BROKEN_STREAMS = ("reset-mid", "close-mid", "garbage-mid", "truncate")
BROKEN_ANSWERS = ("reset-mid", "close-mid", "garbage-mid", "short-length")


class BadInputTests(TestCase):
    """Each mistake is answered in the dialect of its path and leaves exactly one record, and nothing open."""

    def word(self, path: bytes, answer: Answer) -> str:
        """The error's machine-readable word, from a body that is as its dialect wants it."""
        error = json.loads(bytes(answer.body))
        if path == ANTHROPIC:
            self.assertEqual(sorted(error), ["error", "request_id", "type"])
            self.assertEqual(error["request_id"], answer.one(b"x-agentgateway-request-id"))
            return str(error["error"]["type"])
        if path == OPENAI:
            self.assertEqual(sorted(error["error"]), ["code", "message", "param", "type"])
            return str(error["error"]["code"])
        self.assertEqual((sorted(error), error["error"]["code"]), (["error"], answer.status))
        return str(error["error"]["status"])

    def check(self, running: Running, path: bytes, answer: Answer, reason: str, status: int, what: str) -> Any:
        """An answer is the refusal it should be; gives its record, the last one."""
        self.assertEqual((answer.status, answer.ended), (status, True), f"{what}: {bytes(answer.body)!r}")
        self.assertEqual(answer.one(b"x-agentgateway-reason"), reason, what)
        retry = reason.startswith("upstream_")
        self.assertEqual(answer.one(b"x-should-retry"), "true" if retry else "false", what)
        self.assertEqual(len(answer.all(b"retry-after")), 1 if retry else 0, what)
        self.assertEqual(self.word(path, answer), WORDS[reason][PATHS.index(path)], what)
        record = running.records[-1]
        self.assertEqual(record["id"], answer.one(b"x-agentgateway-request-id"), what)
        self.assertEqual((record["status"], record["reason"]), (status, reason), what)
        self.assertEqual(record["outcome"], "upstream_error" if retry else "refused", what)
        return record

    async def refused(self, running: Running, cases: tuple[Bad, ...]) -> None:
        """All the cases, on all three paths."""
        before = len(running.records)
        for count, (bad, path) in enumerate([(bad, path) for bad in cases for path in PATHS], 1):
            answer = await ask(self, running.port, post(bad.prefix + path, bad.body, *bad.fields))
            record = self.check(running, path, answer, bad.reason, bad.status, f"{bad.what} at {path.decode()}")
            self.assertEqual((record["cost_usd"], record["usage"]), (0, "none"), bad.what)
            self.assertEqual(len(running.records), before + count, bad.what)
        await until(lambda: running.quiet)

    def test_wrong_callers(self) -> Any:
        """Who is not known, or says so in two ways, or asks for what is not its own, is refused and never goes upstream."""

        async def scenario() -> None:
            running = await start_gateway(self, STRICT)
            await self.refused(running, WRONG_CALLERS)
            self.assertEqual(running.standin.served.calls, 0)

        return ensureDeferred(scenario())

    def test_wrong_keys(self) -> Any:
        """An agent that has a key and does not show it is refused, whatever else it says."""

        async def scenario() -> None:
            running = await start_gateway(self, KEYED)
            await self.refused(running, WRONG_KEYS)
            self.assertEqual(running.standin.served.calls, 0)

        return ensureDeferred(scenario())

    def test_a_key_names_its_agent(self) -> Any:
        """A gateway key says who calls, whatever x-agent-id and path say, and it never travels upstream."""

        async def scenario() -> None:
            running = await start_gateway(self, KEYED)
            shown = (
                (b"x-api-key", b"agw-one"),
                (b"Authorization", b"Bearer agw-one"),
                (b"authorization", b"bearer  agw-one "),
            )
            for field in shown:
                answer = await ask(self, running.port, post(OPENAI, BODY, field, *named(b"private")))
                self.assertEqual((answer.status, running.records[-1]["agent"]), (200, "secretive"))
            answer = await ask(self, running.port, post(b"/agents/private" + OPENAI, BODY, shown[0]))
            self.assertEqual((answer.status, running.records[-1]["agent"]), (200, "secretive"))
            for served in running.standin.served.recent:
                self.assertNotIn("agw-one", str(served.headers))

        return ensureDeferred(scenario())

    def test_nobody_in_particular(self) -> Any:
        """With the template `*`, callers without an id share the agent `anonymous`, and a new id makes its own agent."""

        async def scenario() -> None:
            running = await start_gateway(self, LENIENT)
            for fields, agent in (((), "anonymous"), (named(b"newcomer"), "newcomer")):
                answer = await ask(self, running.port, post(OPENAI, BODY, *fields))
                self.assertEqual((answer.status, running.records[-1]["agent"]), (200, agent))
            answer = await ask(self, running.port, post(OPENAI, BODY, *named(b"no body")))
            self.check(running, OPENAI, answer, "unknown_agent", 401, "a bad id")

        return ensureDeferred(scenario())

    def test_malformed_json(self) -> Any:
        """A body that is no JSON, or not the JSON it should be, goes to the provider, whose answer it is to give."""

        async def scenario() -> None:
            origin = Origin(fixed(response(b'{"error":"what?"}', status=b"400 Bad Request")))
            running = await start_gateway(self, LENIENT, origin)
            bodies = (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"model":', b'{"model":7,"stream":"yes"}', b"[" * 9999)
            for count, (body, path) in enumerate([(body, path) for body in bodies for path in PATHS], 1):
                answer = await ask(self, running.port, post(path, body))
                self.assertEqual((answer.status, bytes(answer.body)), (400, b'{"error":"what?"}'))
                self.assertEqual(bytes(origin.requests[-1].body), body)
                self.assertEqual(len(running.records), count)
                self.assertEqual(
                    (running.records[-1]["outcome"], running.records[-1]["cost_usd"]), ("upstream_error", 0)
                )

        return ensureDeferred(scenario())

    def test_too_large(self) -> Any:
        """A chunked body is refused when it passes the limit, and a head before it is complete."""

        async def scenario() -> None:
            running = await start_gateway(self, STRICT)
            head = b"POST %b HTTP/1.1\r\nHost: x\r\nx-agent-id: coder\r\n"
            for count, path in enumerate(PATHS, 1):
                body = b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n%b\r\n" % (b" " * 4096) * 20
                answer = await ask(self, running.port, head % path + body)
                self.check(running, path, answer, "bad_request", 413, "a chunked body")
                self.assertEqual(len(running.records), 3 * count - 2)
                answer = await ask(self, running.port, head % path + b"x-long: " + b"y" * 200_000)
                self.check(running, path, answer, "bad_request", 431, "a field without end")
                answer = await ask(self, running.port, head % path + b"x-many: %b\r\n" % (b"y" * 9000) * 8 + b"\r\n")
                self.check(running, path, answer, "bad_request", 431, "many long fields")
                self.assertEqual(len(running.records), 3 * count)
            await until(lambda: running.quiet)

        return ensureDeferred(scenario())

    def test_framing(self) -> Any:
        """A request that two parsers might read differently is refused, and the connection closed."""

        async def scenario() -> None:
            running = await start_gateway(self, LENIENT)
            for count, raw in enumerate(FRAMING, 1):
                answer = await ask(self, running.port, raw)
                self.assertEqual((answer.status, answer.one(b"connection")), (400, "close"), raw)
                self.assertEqual(answer.one(b"x-agentgateway-reason"), "bad_request", raw)
                self.assertEqual((len(running.records), running.records[-1]["status"]), (count, 400), raw)
            self.assertEqual(running.standin.served.calls, 0)

        return ensureDeferred(scenario())

    def test_no_answer(self) -> Any:
        """A provider that resets, closes or talks garbage before its answer makes a 502 that may be tried again."""

        async def scenario() -> None:
            running = await start_gateway(self, LENIENT)
            count = 0
            for fault in UNREACHABLE:
                for path in PATHS:
                    answer = await ask(self, running.port, post(path, BODY, (b"x-standin-fault", fault.encode())))
                    self.check(running, path, answer, "upstream_unreachable", 502, fault)
                    count += 1
                    self.assertEqual(len(running.records), count)
            await until(lambda: running.quiet)

        return ensureDeferred(scenario())

    def test_broken_head(self) -> Any:
        """The same where it breaks off within its head, or says what no proxy may believe."""

        async def scenario() -> None:
            heads: list[bytes] = []

            def script(visit: Visit, request: Received) -> None:
                visit.transport.write(heads[-1])
                reactor.callLater(0, visit.transport.loseConnection)

            running = await start_gateway(self, LENIENT, Origin(script))
            for raw in (
                b"HTTP/1.1 200 O",
                b"HTTP/1.1 200 OK\r\nContent-Le",
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                b"HTTP/1.1 999999 Much\r\n\r\n",
                b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 3000 + b"\r\n",
                b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * 400_000,
            ):
                heads.append(raw)
                answer = await ask(self, running.port, post(OPENAI, BODY))
                self.check(running, OPENAI, answer, "upstream_unreachable", 502, repr(raw[:60]))
                self.assertEqual(len(running.records), len(heads))

        return ensureDeferred(scenario())

    def test_broken_streams(self) -> Any:
        """A stream that breaks ends with the dialect's error event and never cleanly; what came is charged."""

        async def scenario() -> None:
            running = await start_gateway(self, LENIENT)
            stream = BODY.replace(b'"max', b'"stream":true,"max')
            paths = (ANTHROPIC, OPENAI)
            for count, (fault, path) in enumerate([(f, path) for f in BROKEN_STREAMS for path in paths], 1):
                answer = await ask(self, running.port, post(path, stream, (b"x-standin-fault", fault.encode())))
                self.assertEqual((answer.status, answer.ended), (200, False), fault)
                self.assertEqual(
                    answer.body.count(b'"upstream_error"' if path == OPENAI else b"event: error"), 1, fault
                )
                self.assertTrue(answer.body.endswith(b"\n\n"), fault)
                self.assertEqual(len(running.records), count)
                record = running.records[-1]
                self.assertEqual((record["outcome"], record["usage"]), ("truncated", "estimated"), fault)
                self.assertGreater(record["cost_usd"], 0)
            await until(lambda: running.quiet)

        return ensureDeferred(scenario())

    def test_broken_answers(self) -> Any:
        """A whole answer that breaks off never ends as if it were complete."""

        async def scenario() -> None:
            running = await start_gateway(self, LENIENT)
            for count, (fault, path) in enumerate([(f, path) for f in BROKEN_ANSWERS for path in PATHS], 1):
                answer = await ask(self, running.port, post(path, BODY, (b"x-standin-fault", fault.encode())))
                self.assertEqual((answer.status, answer.ended), (200, False), fault)
                self.assertEqual(len(running.records), count)
                self.assertEqual(running.records[-1]["outcome"], "truncated", fault)
            await until(lambda: running.quiet)

        return ensureDeferred(scenario())

    def test_slow_providers(self) -> Any:
        """No head within response_timeout is a 504; silence within a stream ends it with an error event."""

        async def scenario() -> None:
            limits = "response_timeout: 0.1, silence_timeout: 0.1, base_url"
            running = await start_gateway(self, LENIENT.replace("base_url", limits))
            sweep_often(self, running)
            for path in PATHS:
                answer = await ask(self, running.port, post(path, BODY, (b"x-standin-fault", b"stall")))
                record = self.check(running, path, answer, "upstream_timeout", 504, "stall")
                self.assertEqual(record["usage"], "estimated")
                self.assertGreater(record["cost_usd"], 0)
            for path in (ANTHROPIC, OPENAI):
                stream = BODY.replace(b'"max', b'"stream":true,"max')
                answer = await ask(self, running.port, post(path, stream, (b"x-standin-fault", b"stall-mid")))
                self.assertEqual((answer.status, answer.ended), (200, False))
                self.assertIn(b"error", answer.body[-300:])
                self.assertEqual(running.records[-1]["outcome"], "truncated")
            self.assertEqual(len(running.records), 5)
            await until(lambda: running.quiet)

        return ensureDeferred(scenario())

    def test_unreachable_providers(self) -> Any:
        """A provider that is down, has no address, or cannot prove who it is makes a 502; one that is deaf, a 504."""

        async def scenario() -> None:
            certificate, key = write_to(self.mktemp_folder())
            endpoint = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
            secret = Origin(fixed(response()))
            secure = await listen(self, secret, endpoint)
            deaf = deaf_port(self)
            config = LENIENT.replace(
                "agents:",
                f"""  down: {{{{api: openai, base_url: "http://127.0.0.1:{closed_port()}"}}}}
  nameless: {{{{api: openai, base_url: "http://no-such-name.invalid"}}}}
  untrusted: {{{{api: openai, base_url: "https://127.0.0.1:{secure}"}}}}
  plain: {{{{api: openai, base_url: "http://127.0.0.1:{secure}"}}}}
  deaf: {{{{api: openai, base_url: "http://127.0.0.1:{deaf}", connect_timeout: 0.1}}}}
agents:""",
            )
            running = await start_gateway(self, config)
            sweep_often(self, running)
            no_names = NoNames()
            no_names.others = reactor.installNameResolver(no_names)
            self.addCleanup(reactor.installNameResolver, no_names.others)
            expected = {"down": 502, "nameless": 502, "untrusted": 502, "plain": 502, "deaf": 504}
            for count, (name, status) in enumerate(expected.items(), 1):
                answer = await ask(self, running.port, post(b"/providers/" + name.encode() + OPENAI, BODY))
                reason = "upstream_timeout" if status == 504 else "upstream_unreachable"
                record = self.check(running, OPENAI, answer, reason, status, name)
                self.assertEqual((record["provider"], record["cost_usd"], record["usage"]), (name, 0, "none"), name)
                self.assertEqual(len(running.records), count)
            self.assertEqual(secret.requests, [])
            await until(lambda: not secret.visits)

        return ensureDeferred(scenario())

    def mktemp_folder(self) -> str:
        """A fresh folder."""
        folder = self.mktemp()
        os.makedirs(folder)
        return folder


@implementer(IHostnameResolver)
class NoNames:
    """A resolver that finds no address for a name, but leaves addresses to the other one."""

    others: Any = None

    def resolveHostName(self, receiver: Any, name: str, *rest: Any, **options: Any) -> Any:
        """No address, unless it is one."""
        if not name.endswith(".invalid"):
            return self.others.resolveHostName(receiver, name, *rest, **options)
        receiver.resolutionBegan(receiver)
        receiver.resolutionComplete()
        return receiver
