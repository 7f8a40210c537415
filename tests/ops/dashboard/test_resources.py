"""Tests of agentgateway.ops.dashboard.resources, as requests meet them."""

import json
from typing import Any

from tests.harness import until
from tests.ops.dashboard.served import TOKEN, Served

BEARER = f"Bearer {TOKEN}"
ELSEWHERE = "gateway.example"


class PageTests(Served):
    """What the port answers."""

    async def get(self, path: str) -> Any:
        """The JSON at a path."""
        status, _, body = await self.ask("GET", path)
        self.assertEqual(status, 200, path)
        return json.loads(body)

    async def test_page(self) -> None:
        """The page and all it loads are there, may not be framed, and run no script but their own."""
        for path in (
            "/",
            "/app.js",
            "/style.css",
            "/icon.svg",
            "/vendor/uPlot.iife.min.js",
            "/vendor/uPlot.LICENSE.txt",
        ):
            status, head, body = await self.ask("GET", path)
            self.assertEqual(status, 200, path)
            self.assertIn("script-src 'self'; style-src 'self'", head)
            self.assertIn("frame-ancestors 'none'", head)
            self.assertNotIn("unsafe", head)
            self.assertNotIn("Server:", head)
            self.assertTrue(body)
        self.assertIn(b'type="module"', (await self.ask("GET", "/"))[2])

    async def test_cached(self) -> None:
        """A file that a browser has already is not sent again."""
        _, head, _ = await self.ask("GET", "/app.js")
        tag = head.partition("ETag: ")[2].partition("\r\n")[0]
        status, _, body = await self.ask("GET", "/app.js", If_None_Match=tag)
        self.assertEqual((status, body), (304, b""))

    async def test_nothing_else(self) -> None:
        """No path leads to a file that is not the page's."""
        for path in ("/../service.py", "/%2e%2e/service.py", "/vendor/../../service.py", "/vendor", "/nothing"):
            status, _, body = await self.ask("GET", path)
            self.assertIn(status, (404, 405), path)
            self.assertNotIn(b"import", body)

    async def test_agent(self) -> None:
        """An agent's page has its row, its limits and how its policies stand."""
        self.state.call("coder", 1.5)
        agent = await self.get("/data/agents/coder")
        self.assertEqual(
            (agent["id"], agent["cost_this_hour"], agent["limits"]["rate_limit"]), ("coder", 1.5, "60/min")
        )
        self.assertEqual([(policy["name"], policy["holds"]) for policy in agent["policies"]], [("dear", True)])

    async def test_history(self) -> None:
        """Charts are of an agent, a provider or all, over an hour or a day; of somebody unknown they are empty."""
        self.state.call("coder")
        self.service.rounds.begin(again=True)
        await until(lambda: not self.service.feed.pending)
        for query, span, calls in (
            ("", 60, [1]),
            ("?agent=coder&span=day", 600, [1]),
            ("?provider=openai", 60, [1]),
            ("?agent=writer", 60, []),
            ("?agent=nobody&span=day", 600, []),
        ):
            found = await self.get(f"/data/history{query}")
            self.assertEqual((found["span"], found["columns"]["calls"]), (span, calls), query)

    async def test_calls(self) -> None:
        """The latest records, of one agent where that is asked, newest last."""
        self.state.call("coder", model="first")
        self.state.call("writer")
        self.state.call("coder", model="second")
        found = [record["model"] for record in await self.get("/data/calls?agent=coder")]
        self.assertEqual(found, ["first", "second"])
        self.assertEqual(len(await self.get("/data/calls")), 3)

    async def test_closed(self) -> None:
        """Nothing of the fleet is told to callers from elsewhere without the token."""
        for path in ("/data/agents/coder", "/data/history", "/data/calls", "/data/streams"):
            status, _, body = await self.ask("GET", path, Host=ELSEWHERE)
            self.assertEqual((status, b"coder" in body), (401, False), path)
            status, _, _ = await self.ask("GET", path, Host=ELSEWHERE, Authorization=BEARER)
            self.assertEqual(status, 200, path)

    async def test_act(self) -> None:
        """An action answers with how the agent stands then, and is on record with where it came from."""
        body = json.dumps({"reason": "on fire"}).encode()
        status, _, answer = await self.ask("POST", "/act/agents/coder/pause", body, Authorization=BEARER)
        self.assertEqual((status, json.loads(answer)["pause_reason"]), (200, "on fire"))
        self.assertEqual([note.reason for note in self.state.notes], ["dashboard at 127.0.0.1: paused: on fire"])

    async def test_unusable(self) -> None:
        """A body that cannot be used is answered with a status that has its phrase, and nothing is done."""
        status, head, _ = await self.ask("POST", "/act/agents/coder/pause", b'{"reason": 5}', Authorization=BEARER)
        self.assertEqual((status, head.splitlines()[0]), (422, "HTTP/1.1 422 Unprocessable Content"))
        self.assertEqual(self.state.notes, [])

    async def test_not_acted(self) -> None:
        """Without the token, with the wrong method, kind of body or path, nothing is done."""
        path = "/act/agents/coder/pause"
        cases: list[tuple[str, str, dict[str, str | None], int]] = [
            ("POST", path, {}, 401),
            ("GET", path, {"Authorization": BEARER}, 405),
            ("PUT", path, {"Authorization": BEARER}, 405),
            ("POST", path, {"Authorization": BEARER, "Content-Type": "text/plain"}, 415),
            ("POST", path, {"Authorization": BEARER, "Content-Type": "application/x-www-form-urlencoded"}, 415),
            ("POST", "/act/agents/nobody/pause", {"Authorization": BEARER}, 404),
            ("POST", "/act/agents/coder/explode", {"Authorization": BEARER}, 404),
            ("POST", "/act/agents/coder", {"Authorization": BEARER}, 404),
            ("POST", "/act/streams/agw_1/end", {"Authorization": BEARER}, 404),
            ("POST", "/data/calls", {"Authorization": BEARER}, 405),
        ]
        for method, where, fields, status in cases:
            answered, _, _ = await self.ask(method, where, b"{}", **fields)
            self.assertEqual(answered, status, (method, where, fields))
        self.assertEqual((self.state.notes, self.state.agent("coder").pause), ([], None))
