"""What other sites' pages, and viewers that misbehave, can do to a gateway that an operator looks at: nothing."""

import json
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import connect, until
from tests.ops.dashboard.served import TEXT, SocketClient, frame
from tests.peers import Answer, Caller, Field, ask, call_in, closed_port, post, request
from tests.reality.processes import start_standin
from tests.trust.gateway import CONFIG, JSON, Gateway, grown, pause, start

BODY = b'{"model":"priced","stream":true,"max_tokens":9,"messages":[]}'
ENDLESS = ((b"x-standin-fault", b"endless"), (b"x-standin-interval", b"0.05"))
STREAM = post(b"/v1/messages", BODY, (b"x-agent-id", b"writer"), *ENDLESS)
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
PLAIN = (b"Content-Type", b"text/plain")
EVIL, NULL = (b"Origin", b"https://evil.example"), (b"Origin", b"null")
WRONG = (b"Authorization", b"Bearer guessed")
CAPS = b'{"max_cost_total": 0}'
STALLED = 30
MOST = 10 << 20
"""Bytes of memory that viewers who do not read may take together."""


class PageTests(TestCase):
    """A gateway in its own process with a dashboard, a stream that runs through it, and an operator who looks on."""

    timeout = 60

    async def setting(self) -> None:
        """All of them; the operator's browser is logged in."""
        _, provider = await start_standin(self)
        self.board = closed_port()
        board = f"dashboard: {{{{host: 127.0.0.1, port: {self.board}}}}}"
        self.gateway: Gateway = await start(self, provider, CONFIG.replace("dashboard: false", board))
        self.reader: Caller = await call_in(self, self.gateway.port)
        self.reader.transport.write(STREAM)
        await until(lambda: self.reader.answer.body)
        self.host, self.here = (b"Host", b"127.0.0.1:%d" % self.board), (b"Origin", b"http://127.0.0.1:%d" % self.board)
        self.token = (self.gateway.folder / "admin-token").read_bytes().strip()
        answer = await self.on_board(
            b"POST", b"/login", json.dumps({"token": self.token.decode()}).encode(), self.here, JSON
        )
        self.cookie = (b"Cookie", answer.one(b"set-cookie").partition(";")[0].encode())
        self.operator = await self.view()
        await until(lambda: self.operator.payloads(TEXT))

    async def on_board(self, method: bytes, path: bytes, body: bytes | None, *fields: Field) -> Answer:
        """A request to the dashboard, by its address unless the fields say otherwise."""
        named = fields if any(name == b"Host" for name, _ in fields) else (self.host, *fields)
        raw = request(method, path, body, *named, (b"Connection", b"close")).replace(b"Host: gateway.test\r\n", b"", 1)
        return await ask(self, self.board, raw)

    async def view(self, path: str = "/ws", **fields: str) -> SocketClient:
        """One more viewer."""
        viewer = SocketClient(await connect(self, self.board))
        viewer.ask(path, **{"Host": f"127.0.0.1:{self.board}", **fields})
        return viewer

    async def undisturbed(self) -> None:
        """The stream and the operator's messages go on, and nothing has been changed by anybody."""
        had, seen = len(self.reader.answer.body), len(self.operator.payloads(TEXT))
        await until(lambda: len(self.reader.answer.body) > had and len(self.operator.payloads(TEXT)) > seen)
        agent = await self.gateway.agent("writer")
        self.assertEqual((agent["status"], agent["in_flight"]), ("active", 1))
        self.assertIsNone(agent["budget"]["max_cost_total"])
        self.assertEqual(self.gateway.records, [])

    def test_api(self) -> Any:
        """Forms, plain text, foreign and made-up names, tokens in URLs, cookies and guesses: refused by the API."""

        async def scenario() -> None:
            await self.setting()
            local, rebound = (b"Host", b"127.0.0.1:%d" % self.gateway.port), (b"Host", b"rebound.example")
            act, secret = b"/api/agents/writer/pause", b"?token=" + self.token
            for method, path, body, fields in (
                (b"POST", act, b"a=b", (local, FORM, EVIL)),
                (b"POST", act, b'{"reason":"x"}', (local, PLAIN, EVIL)),
                (b"POST", act, b"{}", (local, PLAIN)),
                (b"POST", act, b"{}", (local, JSON)),
                (b"POST", act, b"{}", (local, JSON, NULL)),
                (b"POST", act, b"{}", (local, JSON, self.cookie)),
                (b"POST", act + secret, b"{}", (local, JSON)),
                (b"POST", act, b"{}", (local, JSON, WRONG)),
                (b"PUT", b"/api/budget/writer", CAPS, (local, JSON, EVIL)),
                (b"PUT", b"/api/budget/writer" + secret, CAPS, (local, JSON)),
                (b"POST", b"/api/reload", b"", (local, FORM)),
                (b"GET", b"/api/status", None, (local, EVIL)),
                (b"GET", b"/api/logs", None, (local, NULL)),
                (b"GET", b"/metrics", None, (local, (b"Sec-Fetch-Site", b"cross-site"))),
                (b"GET", b"/api/status", None, (rebound,)),
                (b"GET", b"/api/status" + secret, None, (rebound,)),
                (b"GET", b"/api/status", None, (local, (b"X-Forwarded-For", b"127.0.0.1"))),
            ):
                raw = request(method, path, body, *fields).replace(b"Host: gateway.test\r\n", b"", 1)
                answer = await ask(self, self.gateway.port, raw)
                self.assertEqual(answer.status, 401, raw)
                self.assertEqual(answer.all(b"access-control-allow-origin"), [], raw)
                self.assertNotIn(b"writer", answer.body, raw)
            await self.undisturbed()

        return ensureDeferred(scenario())

    def test_dashboard(self) -> Any:
        """The same on the dashboard's port, though the operator's own cookie goes along with it."""

        async def scenario() -> None:
            await self.setting()
            rebound, act = (b"Host", b"rebound.example:4040"), b"/act/agents/writer/"
            secret = b"?token=" + self.token
            for status, method, path, body, fields in (
                (403, b"POST", act + b"pause", b"{}", (EVIL, JSON, self.cookie)),
                (403, b"POST", act + b"pause", b"{}", (NULL, JSON, self.cookie)),
                (403, b"POST", act + b"budget", CAPS, ((b"Sec-Fetch-Site", b"same-site"), JSON, self.cookie)),
                (403, b"POST", act + b"pause", b"{}", ((b"Origin", b"http://127.0.0.1:3000"), JSON, self.cookie)),
                (415, b"POST", act + b"pause", b"{}", (self.here, PLAIN, self.cookie)),
                (415, b"POST", act + b"pause", b"a=b", (self.here, FORM, self.cookie)),
                (401, b"POST", act + b"pause", b"{}", (self.here, JSON)),
                (401, b"POST", act + b"pause" + secret, b"{}", (self.here, JSON)),
                (401, b"POST", act + b"pause", b"{}", (rebound, (b"Origin", b"http://rebound.example:4040"), JSON)),
                (401, b"POST", act + b"pause", b"{}", (self.here, JSON, WRONG)),
                (405, b"GET", act + b"pause", None, (self.cookie,)),
                (401, b"GET", b"/data/agents/writer", None, (rebound,)),
                (401, b"GET", b"/data/calls" + secret, None, (rebound,)),
            ):
                answer = await self.on_board(method, path, body, *fields)
                self.assertEqual(answer.status, status, (method, path, fields))
                self.assertEqual(answer.all(b"access-control-allow-origin"), [], (method, path, fields))
            await self.undisturbed()

        return ensureDeferred(scenario())

    def test_viewers(self) -> Any:
        """Viewers from other sites are refused, those with frames too large shut; who does not read takes no memory."""

        async def scenario() -> None:
            await self.setting()
            cookie, local = self.cookie[1].decode(), f"127.0.0.1:{self.board}"
            for status, path, fields in (
                (403, "/ws", {"Origin": "https://evil.example", "Cookie": cookie}),
                (403, "/ws", {"Origin": "null", "Cookie": cookie}),
                (401, "/ws", {"Host": "rebound.example", "Origin": "http://rebound.example"}),
                (401, f"/ws?token={self.token.decode()}", {"Host": "rebound.example"}),
                (101, "/ws", {"Origin": f"http://{local}", "Cookie": cookie}),
            ):
                viewer = await self.view(path, **fields)
                await until(lambda viewer=viewer: b"\r\n\r\n" in viewer.raw.received)
                self.assertEqual(viewer.status, status, (path, fields))
            viewer.say(frame(TEXT, b"x" * 2_000_000))
            self.assertEqual(await viewer.closed(), 1009)
            before = self.gateway.process.resident
            for _ in range(STALLED):
                stalled = await self.view("/ws?full=1")
                stalled.raw.transport.pauseProducing()  # type: ignore[attr-defined]
            await pause(3)
            print(f"{STALLED} viewers who do not read: {await grown(self.gateway, before, MOST) / 2**20:.1f} MB")
            await self.undisturbed()

        return ensureDeferred(scenario())
