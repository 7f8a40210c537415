"""Passing oneself off as somebody else: never another's budget, key or name, and no gateway key ever goes upstream."""

from hashlib import sha256
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import listen
from tests.peers import Field, Origin, ask, fixed, post, response
from tests.trust.gateway import start

KEY, OWN, CALLERS = b"agw-victims-gateway-key", b"victims-provider-key", b"the-callers-own"
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}}}
providers:
  openai: {{base_url: "http://127.0.0.1:{provider}"}}
agents:
  victim: {{provider: openai, key: "sha256:HASH", api_key: OWN, budget: {{max_cost_per_day: 5}}}}
  named: {{provider: openai, api_key: OWN}}
  other: {{provider: openai}}
prices: {{priced: {{input: 3, output: 15}}}}
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: false
store: "memory:"
""".replace("HASH", sha256(KEY).hexdigest()).replace("OWN", OWN.decode())  # fmt: skip
BODY = b'{"model":"priced","messages":[]}'
USAGE = b'{"model":"priced","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}'
PATH = b"/v1/chat/completions"
ID = b"x-agent-id"


def bearer(key: bytes) -> Field:
    """A credential."""
    return (b"Authorization", b"Bearer " + key)


TRICKS: tuple[tuple[str, bytes, tuple[Field, ...]], ...] = (
    ("its name alone", PATH, ((ID, b"victim"),)),
    ("its name in the path", b"/agents/victim" + PATH, ()),
    ("its name twice", PATH, ((ID, b"victim"), (ID, b"victim"))),
    ("its name beside another", PATH, ((ID, b"other"), (ID, b"victim"))),
    ("beside another, the letters otherwise", PATH, ((b"X-Agent-ID", b"victim"), (b"x-AGENT-id", b"other"))),
    ("both in one", PATH, ((ID, b"other, victim"),)),
    ("an underscore", PATH, ((b"x_agent_id", b"victim"),)),
    ("underscores beside another's", PATH, ((b"x_agent_id", b"named"), (b"X-AGENT_ID", b"named"))),
    ("full-width letters", PATH, ((ID, "ｎａｍｅｄ".encode()),)),
    ("Cyrillic letters", PATH, ((ID, "nаmed".encode()),)),
    ("a blank without width", PATH, ((ID, "named\u200b".encode()),)),
    ("capitals", PATH, ((ID, b"NAMED"),)),
    ("a blank within", PATH, ((ID, b"na med"),)),
    ("a tab behind", PATH, ((ID, b"named\tvictim"),)),
    ("NUL in per cent", b"/agents/named%00" + PATH, ()),
    ("per cent in the path", b"/agents/%6eamed" + PATH, ()),
    ("a slash in per cent", b"/agents/named%2fx" + PATH, ()),
    ("two slashes", b"//agents/named" + PATH, ()),
    ("capitals in the path", b"/AGENTS/named" + PATH, ()),
    ("a parameter in the path", b"/agents/named;x" + PATH, ()),
    ("dots", b"/agents/other/../named" + PATH, ()),
    ("its id taken away by Connection", PATH, ((ID, b"named"), (b"Connection", b"x-agent-id"))),
    ("with the credential", PATH, ((ID, b"named"), (b"Connection", b"close, x-agent-id, authorization"), bearer(b"x"))),
    ("a template's name", PATH, ((ID, b"*"),)),
    ("a wrong key", PATH, ((ID, b"victim"), bearer(KEY[:-1]))),
    ("the hash for the key", PATH, ((ID, b"victim"), bearer(sha256(KEY).hexdigest().encode()))),
    ("the hash as it is written", PATH, ((ID, b"victim"), bearer(b"sha256:" + sha256(KEY).hexdigest().encode()))),
    ("the provider's key", PATH, ((ID, b"victim"), bearer(OWN))),
    ("a key and more", PATH, ((ID, b"victim"), bearer(KEY + b" x"))),
    ("a key in lists", PATH, ((ID, b"victim"), bearer(b"x, Bearer " + KEY))),
    ("a key in a cookie", PATH, ((ID, b"victim"), (b"Cookie", b"x-api-key=" + KEY))),
    ("a key in the query", PATH + b"?key=" + KEY, ((ID, b"victim"),)),
)
RIGHT: tuple[tuple[str, bytes, tuple[Field, ...], str], ...] = (
    ("its key", PATH, (bearer(KEY),), "victim"),
    ("its key beside another's name", PATH, (bearer(KEY), (ID, b"other")), "victim"),
    ("its key in x-api-key", PATH, ((b"x-api-key", KEY),), "victim"),
    ("its key, kept from us by Connection", PATH, (bearer(KEY), (b"Connection", b"authorization")), "victim"),
    ("its key and one of its own", PATH, (bearer(KEY), (b"x-api-key", CALLERS)), "victim"),
    ("a name, and a credential", PATH, ((ID, b"other"), bearer(CALLERS)), "other"),
    ("a name in the path", b"/agents/other" + PATH, (bearer(CALLERS),), "other"),
)


class IdentityTests(TestCase):
    """A gateway in its own process, and a provider that notes what it is shown."""

    def test_tricks(self) -> Any:
        """None of them calls as the victim: refused before any provider hears of it, and nobody is charged."""

        async def scenario() -> None:
            origin = Origin(fixed(response(USAGE)))
            gateway = await start(self, await listen(self, origin), CONFIG)
            for what, path, fields in TRICKS:
                answer = await ask(self, gateway.port, post(path, BODY, *fields))
                self.assertIn(answer.status, (400, 401, 404), (what, bytes(answer.body)))
                self.assertEqual(answer.all(b"x-agentgateway-budget-remaining"), [], what)
                self.assertNotIn(OWN, bytes(answer.body), what)
                self.assertEqual(gateway.records[-1]["cost_usd"], 0, what)
            self.assertEqual(origin.requests, [])
            for name in ("victim", "named", "other"):
                agent = await gateway.agent(name)
                self.assertEqual((agent["call_count"], agent["total_cost"]), (0, 0), name)

        return ensureDeferred(scenario())

    def test_right_ones(self) -> Any:
        """Who shows a key is its agent; the provider gets the agent's key or the caller's own, the gateway's never."""

        async def scenario() -> None:
            origin = Origin(fixed(response(USAGE)))
            gateway = await start(self, await listen(self, origin), CONFIG)
            for what, path, fields, agent in RIGHT:
                answer = await ask(self, gateway.port, post(path, BODY, *fields))
                self.assertEqual((answer.status, gateway.records[-1]["agent"]), (200, agent), what)
                sent = origin.requests[-1].fields
                self.assertNotIn(KEY, b"".join(value for _, value in sent), what)
                self.assertEqual([name for name, _ in sent if name.lower() == ID], [], what)
                keys = [value for name, value in sent if name.lower() in (b"authorization", b"x-api-key")]
                self.assertEqual(keys, [b"Bearer " + (OWN if agent == "victim" else CALLERS)], what)

        return ensureDeferred(scenario())
