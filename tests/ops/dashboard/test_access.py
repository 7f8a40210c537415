"""Tests of agentgateway.ops.dashboard.access, as requests meet it."""

import json
import re

from agentgateway.domain.guesses import RATE
from tests.harness import until
from tests.ops.dashboard.served import TOKEN, Served

BEARER = f"Bearer {TOKEN}"


class AccessTests(Served):
    """Who may see and who may act."""

    async def may(self, **fields: str | None) -> tuple[bool, bool]:
        """What a caller with these header fields may do: view, act."""
        _, _, body = await self.ask("GET", "/session", **fields)
        answer = json.loads(body)
        return answer["view"], answer["act"]

    async def test_rules(self) -> None:
        """This machine may look; with the token everybody may do all; others may do nothing."""
        self.assertEqual(await self.may(), (True, False))
        self.assertEqual(await self.may(Host="localhost:4040"), (True, False))
        self.assertEqual(await self.may(Authorization=BEARER), (True, True))
        self.assertEqual(await self.may(Host="gateway.example", Authorization=BEARER), (True, True))
        self.assertEqual(await self.may(Host="gateway.example"), (False, False))
        self.assertEqual(await self.may(X_Forwarded_For="10.0.0.7"), (False, False))
        self.assertEqual(await self.may(Authorization="Bearer nonsense", Host="gateway.example"), (False, False))
        self.assertEqual(
            await self.may(Cookie="agentgateway_dashboard=nonsense", Host="gateway.example"), (False, False)
        )

    async def test_cookie(self) -> None:
        """The token buys a cookie that no script reads, no other site's request carries, and that is not the token."""
        status, head, _ = await self.ask(
            "POST", "/login", json.dumps({"token": TOKEN}).encode(), Host="gateway.example"
        )
        cookie = re.search(r"Set-Cookie: (agentgateway_dashboard=([^;]+)); (.*)\r\n", head)
        assert cookie is not None
        self.assertEqual((status, cookie[3]), (200, "Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"))
        self.assertNotIn(TOKEN, cookie[2])
        self.assertEqual(await self.may(Host="gateway.example", Cookie=cookie[1]), (True, True))
        self.assertEqual(await self.may(Host="gateway.example", Authorization=f"Bearer {cookie[2]}"), (False, False))
        client = await self.client(Host="gateway.example", Cookie=cookie[1])
        await until(lambda: client.status == 101)
        _, head, _ = await self.ask("POST", "/logout", b"{}", Cookie=cookie[1])
        self.assertIn("Max-Age=0", head)

    async def test_wrong_token(self) -> None:
        """A wrong token, and what is no token at all, buys nothing."""
        for body, status in ((b'{"token": "x"}', 401), (b"{}", 401), (b"nonsense", 400), (b'{"token": 5}', 400)):
            answered, head, _ = await self.ask("POST", "/login", body)
            self.assertEqual((answered, "Set-Cookie" in head), (status, False), body)

    async def test_token_in_the_url(self) -> None:
        """A token in the URL opens nothing: it would stand in logs and histories."""
        for path in (f"/session?token={TOKEN}", f"/session?access_token={TOKEN}"):
            _, _, body = await self.ask("GET", path, Host="gateway.example")
            self.assertEqual(json.loads(body), {"view": False, "act": False})
        client = await self.client(f"/ws?token={TOKEN}", Host="gateway.example")
        self.assertEqual(client.status, 401)

    async def guess(self, **fields: str | None) -> list[int]:
        """The statuses of so many wrong log-ins, and of one more."""
        return [(await self.ask("POST", "/login", b'{"token": "x"}', **fields))[0] for _ in range(RATE.count + 1)]

    async def test_guessing(self) -> None:
        """After a few wrong tokens nothing is looked at for a while, wherever it is shown; each was told as an alert."""
        right = json.dumps({"token": TOKEN}).encode()
        self.assertEqual(await self.guess(Via="1.1 proxy"), [401] * RATE.count + [429])
        self.assertEqual([alert.kind for alert in self.state.alerts], ["access"] * RATE.count)
        status, head, body = await self.ask("POST", "/login", right, Via="1.1 proxy")
        self.assertEqual((status, "Set-Cookie" in head), (429, False))
        self.assertRegex(body, rb"try again in [67] s")
        self.assertEqual(await self.may(Authorization=BEARER, Via="1.1 proxy"), (False, False))
        self.assertEqual(await self.may(Authorization=BEARER), (True, True))
        self.state.clock.advance(60)
        self.assertEqual((await self.ask("POST", "/login", right, Via="1.1 proxy"))[0], 200)

    async def test_guessing_everywhere(self) -> None:
        """A guess is one as a bearer token and as a cookie, too, and on the management API's port."""
        for number in range(RATE.count):
            wrong = {"Authorization": "Bearer x"} if number % 2 else {"Cookie": "agentgateway_dashboard=x"}
            await self.may(**wrong)
        self.assertEqual(len(self.state.alerts), RATE.count)
        self.assertEqual(await self.guess(), [429] * (RATE.count + 1))
        self.assertEqual(await self.may(Authorization=BEARER), (True, False))

    async def test_no_guess(self) -> None:
        """A proxy's own password is none, nor is having nothing; a cookie of an earlier token is taken back."""
        for fields in ({"Authorization": "Basic dXNlcjpwYXNz"}, {}):
            self.assertEqual(await self.may(Host="gateway.example", **fields), (False, False))
        self.assertFalse(self.state.alerts)
        _, head, _ = await self.ask("GET", "/session", Cookie="agentgateway_dashboard=earlier")
        self.assertIn("agentgateway_dashboard=; Path=/; Max-Age=0", head)

    async def test_other_pages(self) -> None:
        """A page of another site, or of another port of this machine, may do nothing, whatever cookie goes along."""
        for fields in (
            {"Origin": "http://evil.example"},
            {"Origin": "http://127.0.0.1:3000"},
            {"Origin": "null"},
            {"Origin": "http://[broken"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            status, _, _ = await self.ask("POST", "/act/agents/coder/pause", b"{}", Authorization=BEARER, **fields)
            self.assertEqual(status, 403, fields)
        self.assertIsNone(self.state.agent("coder").pause)
        own = {"Origin": "http://127.0.0.1:4040"}
        status, _, _ = await self.ask("POST", "/act/agents/coder/pause", b"{}", Authorization=BEARER, **own)
        self.assertEqual(status, 200)
