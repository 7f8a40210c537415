"""Names that are slow, dead or unknown: their callers are told in time, and nobody else notices."""

import os
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.protocol import DatagramProtocol
from twisted.names import dns
from twisted.trial.unittest import SkipTest, TestCase

from tests.harness import reactor
from tests.peers import ask, closed_port, post
from tests.reality.processes import GATEWAY, start_standin, write_config
from tests.trust.gateway import Gateway

SERVER = "127.0.0.153"
PROVIDERS = ("good", "slow", "dead", "unknown", "late")
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}}}
providers:
PROVIDERS
agents:
  "*": {{circuit_breaker: {{error_threshold: 1000000}}}}
AGENTS
audit: {{log_file: {folder}/audit.jsonl}}
dashboard: false
store: "memory:"
""".replace(
    "PROVIDERS",
    "\n".join(
        f'  {name}: {{{{api: openai, base_url: "http://{name}.test:{{provider}}", connect_timeout: 2}}}}'
        for name in PROVIDERS
    ),
).replace("AGENTS", "\n".join(f"  {name}: {{{{provider: {name}}}}}" for name in PROVIDERS))
BODY = b'{"model":"gpt-4o","max_tokens":9,"messages":[]}'
DELAYS = {"slow": 0.5, "late": 4.0}
MANY = 40


class Names(DatagramProtocol):
    """A name server of our own."""

    def __init__(self) -> None:
        self._late: list[Any] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer after a while, or never."""
        message = dns.Message()
        message.fromStr(datagram)
        question = message.queries[0]
        name = str(question.name).partition(".")[0]
        message.answer = 1
        if name == "dead":
            return
        if name == "unknown":
            message.rCode = dns.ENAME
        elif question.type == dns.A:
            message.answers = [dns.RRHeader(question.name.name, dns.A, ttl=1, payload=dns.Record_A("127.0.0.1", 1))]
        self._late.append(reactor.callLater(DELAYS.get(name, 0), self.transport.write, message.toStr(), addr))

    def stopProtocol(self) -> None:
        """The test is over."""
        for late in self._late:
            if late.active():
                late.cancel()


class NameTests(TestCase):
    """A gateway in its own process, whose names come from a server of the test's own."""

    timeout = 60

    async def setting(self) -> Gateway:
        """The gateway, in a mount namespace with a resolv.conf of its own."""
        port = closed_port()
        _, provider = await start_standin(self)
        path = write_config(self, port, provider, CONFIG)
        resolv = Path(os.path.dirname(path), "resolv.conf")
        resolv.write_text(f"nameserver {SERVER}\noptions timeout:2 attempts:2\n")
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            raise SkipTest("this machine gives nobody a mount namespace, and so no resolv.conf for a test")
        try:
            server = reactor.listenUDP(53, Names(), SERVER)
        except Exception as error:
            raise SkipTest(f"this machine lets nobody serve names on {SERVER}: {error}")
        self.addCleanup(server.stopListening)
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        gateway = Gateway(self, path, port, ("unshare", "-m", "sh", "-c", script, str(resolv), *GATEWAY))
        await gateway.start()
        return gateway

    def test_names(self) -> Any:
        """Unknown names are 502, dead and late ones 504 in time, slow ones wait; other providers are not affected."""

        async def scenario() -> None:
            gateway = await self.setting()

            async def call(name: str) -> tuple[int, str]:
                answer = await ask(
                    self, gateway.port, post(b"/v1/chat/completions", BODY, (b"x-agent-id", name.encode()))
                )
                reason = answer.all(b"x-agentgateway-reason")
                return answer.status, reason[0].decode() if reason else ""

            self.assertEqual(await call("good"), (200, ""))
            waiting = gatherResults([ensureDeferred(call(name)) for name in ("dead", "late") * MANY])
            self.assertEqual(await call("unknown"), (502, "upstream_unreachable"))
            others = 0
            while not waiting.called:
                self.assertEqual(await call("good"), (200, ""))
                others += 1
            self.assertEqual(set(await waiting), {(504, "upstream_timeout")})
            self.assertGreater(others, 50)
            self.assertEqual(await call("slow"), (200, ""))
            await gateway.quiet()
            await gateway.stop()

        return ensureDeferred(scenario())
