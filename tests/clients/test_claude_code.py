"""Claude Code through the gateway: a turn, a tool, its own bill against the audit log, refusals."""

import json
import shutil
import tempfile

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.clients.base import KEY, PROVIDER_KEY, ClientTestCase
from tests.clients.claude_code import program, run


class ClaudeCodeTests(ClientTestCase):
    """`ANTHROPIC_BASE_URL=http://gateway:8080/agents/<id> claude -p ...`, with a key of any kind."""

    async def setUp(self):
        """Find or install the program; a machine without it and without npm cannot run these tests, and says so."""
        self.program = await deferToThread(program)
        if self.program is None:
            raise SkipTest("Claude Code is not tested here: there is no npm (Node 18 or newer) to install it with")
        await super().setUp()
        self.home = tempfile.mkdtemp(prefix="agentgateway-claude-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)

    async def claude(self, prompt="hi", path="/agents/claude", **environment):
        """(exit status, its JSON) of one prompt."""
        usual = {"ANTHROPIC_BASE_URL": self.gateway.url + path, "ANTHROPIC_API_KEY": "k"}
        status, said = await deferToThread(run, self.program, self.home, prompt, **usual | environment)
        return status, json.loads(said)

    def assert_billed(self, result):
        """Its tokens and dollars are those of the audit log."""
        records = self.gateway.records
        self.assertEqual({(record["outcome"], record["usage"]) for record in records}, {("ok", "exact")})
        self.assertEqual(result["usage"]["input_tokens"], sum(record["input_tokens"] for record in records))
        self.assertEqual(result["usage"]["output_tokens"], sum(record["output_tokens"] for record in records))
        self.assertAlmostEqual(result["total_cost_usd"], sum(record["cost_usd"] for record in records), 9)
        self.assertGreater(result["total_cost_usd"], 0)
        self.assertEqual({record["session"] for record in records}, {result["session_id"]})

    async def test_turn(self):
        """A prompt is answered, in one streamed call, and Claude Code's own bill is the gateway's."""
        status, result = await self.claude()
        self.assertEqual((status, result["is_error"], result["num_turns"]), (0, False, 1))
        self.assertTrue(result["result"])
        self.assert_billed(result)
        [record] = self.gateway.records
        self.assertEqual((record["agent"], record["path"], record["stream"]), ("claude", "/v1/messages", True))

    async def test_faithful(self):
        """The provider gets the query and the headers as they were sent, and nothing of the probe before it."""
        await self.claude()
        [served] = self.served.recent
        headers = dict(served.headers)
        self.assertEqual((served.method, served.target), ("POST", "/v1/messages?beta=true"))
        self.assertTrue(headers["anthropic-beta"].startswith("claude-code-"))
        self.assertEqual((headers["x-app"], headers["x-api-key"]), ("cli", "k"))
        self.assertEqual(headers["accept-encoding"], "identity")

    async def test_tool(self):
        """A turn with a tool takes several calls, all of one session, all billed."""
        status, result = await self.claude("use the tool")
        self.assertEqual((status, result["is_error"]), (0, False))
        self.assertGreater(result["num_turns"], 1)
        self.assertGreater(len(self.gateway.records), 1)
        self.assert_billed(result)

    async def test_header(self):
        """`ANTHROPIC_CUSTOM_HEADERS` can name the agent in place of the path."""
        status, _ = await self.claude(path="", ANTHROPIC_CUSTOM_HEADERS="x-agent-id: writer")
        self.assertEqual((status, self.record["agent"]), (0, "writer"))

    async def test_key(self):
        """A gateway key as `ANTHROPIC_AUTH_TOKEN` is enough; the provider gets the provider's key alone."""
        status, _ = await self.claude(path="", ANTHROPIC_API_KEY="", ANTHROPIC_AUTH_TOKEN=KEY)
        self.assertEqual((status, self.record["agent"]), (0, "guarded"))
        sent = self.served.recent[-1].headers
        self.assertIn(("x-api-key", PROVIDER_KEY), sent)
        self.assertNotIn(KEY, str(sent))

    async def test_broken_stream(self):
        """After a stream that ends in an error it asks again without streaming, and has its answer; both are recorded."""
        fault = "x-agent-id: claude\nx-standin-fault: error-event"
        status, result = await self.claude(path="", ANTHROPIC_CUSTOM_HEADERS=fault)
        self.assertEqual((status, result["is_error"]), (0, False))
        calls = [(record["stream"], record["outcome"]) for record in self.gateway.records]
        self.assertEqual(calls, [(True, "upstream_error"), (False, "ok")])

    async def test_unknown_agent(self):
        """An unknown agent is shown the reason, and Claude Code stops at the first refusal."""
        status, result = await self.claude(path="/agents/nobody")
        self.assertEqual((status, result["is_error"], result["api_error_status"]), (1, True, 401))
        self.assertIn("no agent 'nobody'", result["result"])
        self.assertEqual([record["reason"] for record in self.gateway.records], ["unknown_agent"])
        self.assertEqual(self.served.calls, 0)

    async def test_spent_budget(self):
        """With the budget spent it shows which one and until when, and stops at the first refusal."""
        await self.claude(path="/agents/spent")
        spent = len(self.gateway.records)
        status, result = await self.claude(path="/agents/spent")
        self.assertEqual((status, result["is_error"], result["api_error_status"]), (1, True, 402))
        self.assertIn("budget of $0.000001 per day", result["result"])
        self.assertEqual([record["reason"] for record in self.gateway.records[spent:]], ["budget_exceeded"])
