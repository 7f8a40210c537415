"""Configurations made to hurt: refused with file, line and reason, at once, by the commands that read them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.peers import ask, post
from tests.reality.processes import ROOT, start_standin
from tests.trust.gateway import grown, start

BOMB = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def policy(condition: str) -> str:
    """A file whose policy has that condition."""
    quoted = condition.replace("'", "''")
    return f"agents: {{a: {{}}}}\npolicies:\n  - {{name: x, action: pause, condition: '{quoted}'}}\n"


FILES: dict[str, tuple[str, int, str]] = {
    "a bomb of aliases": (BOMB, 2, "alias"),
    "an alias of itself": ("agents: &a {x: *a}\n", 1, "alias"),
    "a key twice": ("agents:\n  a: {}\n  a: {}\n", 3, "a"),
    "a tag that runs a command": ('agents: !!python/object/apply:os.system ["touch RAN"]\n', 1, "tag"),
    "a tag of no harm": ("agents: !!map {}\n", 1, "tag"),
    "lists, 10^5 deep": ("agents: " + "[" * 100_000 + "]" * 100_000, 1, "16 levels"),
    "tables, 10^5 deep": ("agents: " + "{a: " * 100_000, 1, "16 levels"),
    "ten megabytes": ("agents: {a: {}}\n" + "# and so on\n" * 900_000, 0, "characters"),
    "a string of a gigabyte": (policy("'a' * 10**9 == model"), 3, "needs numbers"),
    "a power of powers": (policy("9 ** 9 ** 9 > 1"), 3, "got '*'"),
    "an attribute": (policy("model.__class__.__mro__ == 1"), 3, "unexpected '.'"),
    "a call": (policy("__import__('os').system('touch RAN') == 0"), 3, "unexpected '.'"),
    "a subscript": (policy("tags[0] == 'x'"), 3, "unexpected '['"),
    "parentheses, 10^5 deep": (policy("(" * 100_000 + "1" + ")" * 100_000 + " > 1"), 3, "condition"),
    "a rate of nothing": ("agents:\n  a: {rate_limit: 0/min}\n", 2, "rate_limit"),
    "a limit below zero": ("agents:\n  a: {budget: {max_cost_per_day: -1}}\n", 2, "max_cost_per_day"),
    "a limit without end": ("agents:\n  a: {budget: {max_cost_per_day: .inf}}\n", 2, "max_cost_per_day"),
}
CALL = post(b"/v1/messages", b'{"model":"priced","max_tokens":9,"messages":[]}', (b"x-agent-id", b"writer"))
LEFT = 10 << 20
"""Bytes of memory that a gateway may have more when it has refused all of them."""
MEMORY = 150 << 20
"""Bytes of memory that reading any of them may take, Python and the package included."""


class HostileFileTests(SynchronousTestCase):
    """`agentgateway check`, a process for each file."""

    def check(self, name: str, text: str, line: int, words: str) -> float:
        """It is refused in one line that says where; how long that took."""
        folder = self.mktemp()
        os.makedirs(folder)
        path = Path(folder, "gateway.yaml")
        path.write_text(text)
        command = [sys.executable, "-m", "agentgateway", "check", "-c", "gateway.yaml"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environ, timeout=60)
        took = time.monotonic() - began
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, (name, said[-2000:]))
        self.assertIn(f"gateway.yaml:{line}:" if line else "gateway.yaml", said, name)
        self.assertIn(words, said, name)
        self.assertNotIn("Traceback", said, name)
        self.assertLess(len(said), 5_000, name)
        self.assertEqual(os.listdir(folder), ["gateway.yaml"], name)
        return took

    def test_refused(self) -> None:
        """Each with its file, its line and the reason; none runs anything."""
        times = {name: self.check(name, *expected) for name, expected in FILES.items()}
        slowest = max(times, key=lambda name: times[name])
        print(f"{len(FILES)} files; the slowest, {slowest!r}, took {times[slowest]:.2f} s")

    def test_memory(self) -> None:
        """None of them takes much memory."""
        for name, (text, _, _) in FILES.items():
            path = Path(self.mktemp())
            path.write_text(text)
            script = (
                "import re, sys\n"
                "from agentgateway.config.load import load\n"
                "from agentgateway.errors import ConfigError\n"
                "try: load(sys.argv[1], {})\n"
                "except ConfigError: print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
            )
            environ = {**os.environ, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                [sys.executable, "-c", script, path], capture_output=True, text=True, env=environ, timeout=60
            )
            self.assertLess(int(done.stdout) << 10, MEMORY, (name, done.stderr))


class HostileReloadTests(TestCase):
    """A gateway that runs, and is told to read them."""

    timeout = 60

    def test_refused(self) -> Any:
        """Each is refused with the same words, calls go on by the file that was right, and no memory is left behind."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            gateway = await start(self, provider)
            self.assertEqual((await ask(self, gateway.port, CALL)).status, 200)
            before = gateway.process.resident
            for name, (text, line, words) in FILES.items():
                Path(gateway.path).write_text(text)
                answer = await gateway.manage(b"POST", b"/api/reload", b"")
                self.assertEqual(answer.status, 422, name)
                told = json.loads(bytes(answer.body))["error"]["mistakes"]
                self.assertIn(line, [mistake["line"] for mistake in told], name)
                self.assertIn(words, "".join(mistake["message"] for mistake in told), name)
                self.assertEqual((await ask(self, gateway.port, CALL)).status, 200, name)
            print(f"{len(FILES)} hostile reloads: {await grown(gateway, before, LEFT) / 2**20:.1f} MB more")
            self.assertEqual({record["agent"] for record in gateway.records if record["status"] == 200}, {"writer"})
            await gateway.stop()

        return ensureDeferred(scenario())
