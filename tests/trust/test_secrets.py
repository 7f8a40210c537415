"""Canaries: keys and prompts put through every path, fault and crash, then looked for in everything the process wrote."""

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import connect, until
from tests.ops.dashboard.served import TEXT, SocketClient
from tests.peers import Field, ask, call_in, closed_port, post, request
from tests.reality.processes import GATEWAY, spawn, start_standin
from tests.trust.gateway import Gateway, start
from tests.trust.shapes import SMUGGLED

OWN, PROVIDERS, CALLERS, GATES, WRONG = (f"canary-{name}-3f9c" for name in ("own", "provider", "caller", "gate", "bad"))
PROMPT, REPLY = "canary-prompt-8d21", "canary-reply-8d21"
CANARIES = (OWN, PROVIDERS, CALLERS, GATES, WRONG, PROMPT, REPLY)
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}, max_body_bytes: 100000, drain_timeout: 2}}
providers:
  anthropic: {{base_url: "http://127.0.0.1:{provider}", api_key: "KEY"}}
  openai: {{base_url: "http://127.0.0.1:{provider}", response_timeout: 1, silence_timeout: 1}}
  google: {{base_url: "http://127.0.0.1:{provider}"}}
  gone: {{api: openai, base_url: "http://127.0.0.1:1", api_key: "KEY"}}
agents:
  "*": {{circuit_breaker: {{error_threshold: 1000000}}}}
  rich: {{provider: openai, api_key: "OWN"}}
  keyed: {{provider: anthropic, key: "GATE"}}
  poor: {{provider: openai, budget: {{max_cost_total: 0.000001, enforcement: hard}}}}
  slow: {{provider: openai, rate_limit: 1/hour}}
  lost: {{provider: gone}}
policies: [{{name: watch, condition: "call_count > 3", action: alert}}]
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: {{host: 127.0.0.1, port: BOARD}}
store: "sqlite:{folder}/ledger.sqlite"
""".replace("KEY", PROVIDERS).replace("OWN", OWN).replace("GATE", GATES)  # fmt: skip
AGENTS = (b"rich", b"keyed", b"poor", b"slow", b"lost", b"anybody")
PATHS = (
    b"/v1/messages",
    b"/v1/chat/completions",
    b"/v1/responses",
    b"/v1/embeddings",
    b"/v1beta/models/gemini-2.5-flash:generateContent",
    b"/v1/messages/count_tokens",
    b"/v1/unheard-of",
)
FAULTS = (
    b"",
    b"status-400",
    b"status-401",
    b"status-429",
    b"status-500",
    b"reset-before-head",
    b"garbage",
    b"reset-mid",
    b"garbage-mid",
    b"truncate",
    b"error-event",
    b"stall",
    b"stall-mid",
    b"odd-usage",
    b"gzip",
)
CREDENTIALS: tuple[tuple[Field, ...], ...] = (
    ((b"Authorization", f"Bearer {CALLERS}".encode()),),
    ((b"x-api-key", CALLERS.encode()), (b"api-key", CALLERS.encode())),
    ((b"x-goog-api-key", CALLERS.encode()), (b"Cookie", f"session={CALLERS}".encode())),
    ((b"x-api-key", GATES.encode()),),
    ((b"Authorization", f"Basic {WRONG}".encode()),),
)
MANAGEMENT = (b"/health", b"/api/status", b"/api/logs?limit=1000", b"/api/logs?format=csv", b"/metrics")
PAGES = (b"/", b"/session", b"/data/agents/rich", b"/data/history", b"/data/calls", b"/data/streams")
COMMANDS = (("status",), ("status", "--json"), ("logs",), ("logs", "--json"), ("check",))
WITH_CORES = (
    *("sh", "-c", 'for path; do :; done; cd "$(dirname "$path")" && exec "$0" "$@"'),
    *("prlimit", "--core=unlimited", *GATEWAY),
)
"""Runs a gateway in its own folder, from where nothing keeps the kernel from leaving a core there."""
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202e\u2066]")


class SecretTests(TestCase):
    """One gateway through everything that can happen to it."""

    timeout = 60

    async def abuse(self, gateway: Gateway) -> None:
        """Every path with every fault, each with other credentials."""
        number = 0
        for path in PATHS:
            for fault in FAULTS if b"count" not in path else (b"", b"status-500"):
                if fault.startswith(b"stall") and path != b"/v1/chat/completions":
                    continue
                number += 1
                body = {"model": "gpt-4o", "stream": number % 2 == 0, "messages": [PROMPT, REPLY], "input": PROMPT}
                fields = (*CREDENTIALS[number % 5], (b"x-agent-id", AGENTS[number % 6]), (b"x-standin-fault", fault))
                await self.hear(gateway, post(path, json.dumps(body).encode(), *fields), fields)

    async def hear(self, gateway: Gateway, raw: bytes, fields: tuple[Field, ...] = ()) -> None:
        """An answer tells no keys, neither its head nor its body; one of the gateway's own tells nothing of a prompt."""
        caller = await call_in(self, gateway.port)
        await caller.ask(raw)
        own = b"x-agentgateway-reason" in caller.raw.lower()
        for canary in CANARIES if own else (OWN, PROVIDERS, CALLERS, GATES, WRONG):
            self.assertNotIn(canary.encode(), caller.raw, raw)
        if not caller.lost:
            caller.transport.abortConnection()
            await caller.closed

    async def misuse(self, gateway: Gateway) -> None:
        """Wrong tokens, keys in queries, broken HTTP, large bodies, broken configurations."""
        wrong = (b"Authorization", f"Bearer {WRONG}".encode())
        for path in (*MANAGEMENT, b"/api/agents/rich/pause"):
            await ask(self, gateway.port, request(b"POST", path, PROMPT.encode(), wrong))
            await self.hear(gateway, request(b"GET", path, None, wrong))
        await self.hear(
            gateway, post(b"/v1/messages?key=" + CALLERS.encode(), b"{}", (b"x-agent-id", b"nobody at all"))
        )
        await self.hear(gateway, post(b"/v1/messages", PROMPT.encode() * 10_000))
        await self.hear(gateway, post(b"/v1/messages", b'{"model": "' + PROMPT.encode() + b'"'))
        for raw in SMUGGLED.values():
            await self.hear(gateway, raw.replace(b"Host: x", b"Host: x\r\nx-api-key: " + CALLERS.encode(), 1))
        text = Path(gateway.path).read_text()
        for mistake in ("rate_limit: 1/hour", "call_count > 3", "provider: gone", "api: openai"):
            Path(gateway.path).write_text(text.replace(mistake, mistake + "!"))
            answer = await gateway.manage(b"POST", b"/api/reload")
            self.assertEqual(answer.status, 422, bytes(answer.body))
            self.quiet_about(bytes(answer.body).decode(), "the mistakes of a reload")
        Path(gateway.path).write_text(text)
        self.assertEqual((await gateway.manage(b"POST", b"/api/reload")).status, 200)

    def quiet_about(self, text: str, where: str) -> None:
        """No canary is in a text."""
        for canary in CANARIES:
            self.assertNotIn(canary, text, where)

    def everything(self, gateway: Gateway) -> None:
        """No canary is in any file the process wrote, nor in its log."""
        self.quiet_about(gateway.said, "the log")
        for folder, _, names in os.walk(gateway.folder):
            for name in names:
                if name != "gateway.yaml":
                    path = os.path.join(folder, name)
                    self.quiet_about(Path(path).read_bytes().decode("latin-1"), path)

    async def look(self, gateway: Gateway, board: int) -> None:
        """Whoever may see everything sees no canary: by the API, on the dashboard, by the commands."""
        for path in (*MANAGEMENT, b"/api/agents/rich", b"/api/openapi.json"):
            self.quiet_about(bytes((await gateway.manage(b"GET", path)).body).decode(), str(path))
        token = (gateway.folder / "admin-token").read_text().strip()
        shown = (b"Authorization", b"Bearer " + token.encode()), (b"Connection", b"close")
        for path in PAGES:
            answer = await ask(self, board, request(b"GET", path, None, *shown))
            self.assertEqual(answer.status, 200, path)
            self.quiet_about(bytes(answer.body).decode(), str(path))
        viewer = SocketClient(await connect(self, board))
        viewer.ask("/ws?full=1", Host=f"127.0.0.1:{board}", Authorization=f"Bearer {token}")
        await until(lambda: len(viewer.payloads(TEXT)) > 1)
        self.quiet_about(viewer.raw.received.decode("utf-8", "replace"), "the dashboard's messages")
        for words in COMMANDS:
            process = spawn(self, sys.executable, "-m", "agentgateway", *words, "-c", gateway.path)
            self.assertEqual(await process.ended, (0, None), process.err)
            self.quiet_about((process.out + process.err).decode(), " ".join(words))

    def test_canaries(self) -> Any:
        """Neither log, audit, journal, database, page nor any answer holds a key or a word of a prompt, nor does a crash."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            board = closed_port()
            gateway = await start(self, provider, CONFIG.replace("BOARD", str(board)), WITH_CORES)
            await self.abuse(gateway)
            await self.misuse(gateway)
            await self.look(gateway, board)
            self.everything(gateway)
            self.assertGreater(len(gateway.records), 100)
            limits = Path(f"/proc/{gateway.process.pid}/limits").read_text()
            self.assertRegex(limits, r"(?m)^Max core file size +0 ")
            gateway.process.transport.signalProcess(signal.SIGABRT)
            await gateway.process.ended
            self.everything(gateway)
            await gateway.start()
            await gateway.stop()
            self.everything(gateway)

        return ensureDeferred(scenario())

    def test_forged_lines(self) -> Any:
        """Control characters in ids, models, paths and headers neither forge nor colour a line of any log."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            gateway = await start(self, provider, CONFIG.replace("BOARD", str(closed_port())))
            nasty = '\x1b[31mred\r\n{"id": "forged"}\x00\x7f\x9b\u2028\u202e'
            for body in ({"model": nasty, "messages": []}, {"model": nasty, "stream": True, "user": nasty}):
                for path in (b"/v1/messages", b"/v1/chat/completions", b"/agents/%1b%5B31m%0d%0aforged/v1/messages"):
                    raw = post(path, json.dumps(body).encode(), (b"x-session-id", "ü\x1b[1m\x9b".encode()))
                    await ask(self, gateway.port, raw)
            await ask(
                self, gateway.port, post(b"/v1/%0d%0a%1b[31m%E2%80%AE?x=%00", b"{}", (b"x-agent-id", b"a\x1b[2Jb"))
            )
            await ask(self, gateway.port, post("/v1/\x9b31m".encode("latin-1"), b"{}", (b"x-agent-id", b"\xff\x9b")))
            lines = (gateway.folder / "audit.jsonl").read_bytes().split(b"\n")[:-1]
            self.assertEqual(len(gateway.records), len(lines))
            self.assertNotIn("forged", [record["id"] for record in gateway.records])
            for line in lines:
                self.assertIsNone(ESCAPES.search(line.decode("utf-8")), line)
            for line in gateway.said.split("\n"):
                self.assertIsNone(ESCAPES.search(line), line)
                self.assertFalse(line.startswith("{"), line)
            csv = bytes((await gateway.manage(b"GET", b"/api/logs?format=csv")).body).decode()
            self.assertIsNone(ESCAPES.search(csv.replace("\r\n", "\n")), csv)
            metrics = bytes((await gateway.manage(b"GET", b"/metrics")).body).decode()
            self.assertIsNone(ESCAPES.search(metrics), metrics)

        return ensureDeferred(scenario())
