"""The commands against a gateway that runs: an operator's night."""

import json
import os
import sys
from pathlib import Path

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.harness import reactor, start_gateway
from tests.peers import ask, post


class RunningTests(TestCase):
    """Each command is a process of its own, as in a terminal."""

    timeout = 60

    async def setUp(self):
        """A gateway, and the file that says where it is."""
        self.gateway = await start_gateway(self)
        self.state = self.gateway.service.live.config.gateway.state_dir
        self.path = f"{self.state}/gateway.yaml"
        self.write("agents: {researcher: {provider: anthropic}, coder: {provider: openai}}")
        object.__setattr__(self.gateway.service.live.config, "path", self.path)

    def write(self, agents):
        """The file, with these agents."""
        head = f"gateway: {{port: {self.gateway.port}, host: 127.0.0.1, state_dir: {self.state}}}\n"
        Path(self.path).write_text(f'{head}{agents}\naudit: {{log_file: {self.state}/audit.jsonl}}\nstore: "memory:"\n')

    async def run_command(self, *arguments, status=0, **environ):
        """What a command prints on stdout and stderr; it must end with that status."""
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environ}
        command = ["-m", "agentgateway", arguments[0], "-c", self.path, *arguments[1:]]
        out, err, code = await getProcessOutputAndValue(sys.executable, command, environ, None, reactor)
        self.assertEqual(code, status, (out + err).decode())
        return out.decode(), err.decode()

    async def call(self):
        """The status of a call of the agent `researcher`, and why it was refused."""
        body = json.dumps(
            {"model": "claude-sonnet-4-5", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}]}
        )
        answer = await ask(self, self.gateway.port, post(b"/agents/researcher/v1/messages", body.encode()))
        return answer.status, b"".join(answer.all(b"x-agentgateway-reason")).decode()

    async def test_pause(self):
        """Pause, a refused call, resume, a call; and the log has who did it."""
        out, _ = await self.run_command("pause", "researcher", "--reason", "loops")
        self.assertEqual(out, "researcher is paused: loops\n")
        self.assertEqual(await self.call(), (403, "agent_paused"))
        out, _ = await self.run_command("status")
        self.assertRegex(out, "researcher +paused")
        await self.run_command("pause", "-r", "researcher")
        self.assertEqual(await self.call(), (200, ""))
        out, _ = await self.run_command("logs", "--agent", "researcher")
        self.assertEqual(len(out.splitlines()), 4)
        self.assertIn("admin at 127.0.0.1: active -> paused by operator (loops)", out)

    async def test_budget(self):
        """A lowered budget pauses the agent by itself, a raised one lets it go on."""
        await self.call()
        await self.run_command("budget", "researcher", "--hourly", "0.000001")
        self.assertEqual(await self.call(), (402, "budget_exceeded"))
        _, err = await self.run_command("pause", "-r", "researcher", status=1)
        self.assertIn("raise it", err)
        out, _ = await self.run_command("budget", "researcher", "--hourly", "none", "--daily", "5")
        self.assertIn("of $5.00", out)
        self.assertEqual(await self.call(), (200, ""))

    async def test_reload(self):
        """A file with a mistake changes nothing; a right one is in force at once."""
        self.write("agents: {tester: {provider: openai, rate_limit: often}}")
        _, err = await self.run_command("reload", status=1)
        self.assertIn(f"{self.path}:2: agents.tester.rate_limit: expected", err)
        self.write("agents: {tester: {provider: openai}, coder: {provider: openai}}")
        out, _ = await self.run_command("reload")
        self.assertIn("agents added: tester\n", out)
        self.assertIn("agents removed: *, researcher\n", out)
        self.assertIsNotNone(self.gateway.service.live.fleet.get("tester"))

    async def test_errors(self):
        """A wrong token, an unknown agent, no gateway: each says what it is, with its own exit status."""
        _, err = await self.run_command("pause", "coder", status=1, AGENTGATEWAY_ADMIN_TOKEN="wrong")
        self.assertIn("does not take the admin token from AGENTGATEWAY_ADMIN_TOKEN", err)
        _, err = await self.run_command("pause", "reseacher", status=1)
        self.assertEqual(err, "no agent reseacher: did you mean researcher?\n")
        await self.run_command("status", "--url", "http://127.0.0.1:1", status=3)
        await self.run_command("budget", status=2)

    async def test_another_token(self):
        """Looking at a gateway with the token of another one is no wrong token there: nobody is alerted."""
        for _ in range(3):
            await self.run_command("status", AGENTGATEWAY_ADMIN_TOKEN="another")
        self.assertEqual([alert for alert in self.gateway.service.live.alerts if alert.kind == "access"], [])

    async def test_quick(self):
        """None of these commands loads Twisted."""
        names = "status,logs,pause,budget,dashboard,reload"
        code = (
            f"import sys, importlib; [importlib.import_module('agentgateway.cli.'+n) for n in '{names}'.split(',')]; "
        )
        code += "print([n for n in sys.modules if n.startswith('twisted')])"
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        out, err, _ = await getProcessOutputAndValue(sys.executable, ["-c", code], environ, None, reactor)
        self.assertEqual(out, b"[]\n", err)
