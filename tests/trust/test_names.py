"""Names that are slow, dead or unknown: their callers are told in time, and nobody else notices."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.protocol import DatagramProtocol
from twisted.names import dns
from twisted.trial.unittest import SkipTest, TestCase

from tests.harness import listen, reactor
from tests.peers import Answer, Origin, ask, closed_port, fixed, post, response
from tests.reality.processes import GATEWAY, start_standin, write_config
from tests.trust.gateway import Gateway

SERVER = "127.0.0.153"
PROVIDERS = ("good", "slow", "dead", "unknown", "late", "moved")
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
SCRIPT = "from agentgateway.cli.main import main; from agentgateway.wire import resolver; resolver.FRESH = 0.2; main()"
QUICKLY = (sys.executable, "-c", SCRIPT, "start", "-c")
"""A gateway that looks a name up again after a fifth of a second, not after half a minute."""
DELAYS = {"slow": 0.5, "late": 4.0}
MANY = 40


class Names(DatagramProtocol):
    """A name server of our own."""

    def __init__(self) -> None:
        self._late: list[Any] = []
        self.moved = "127.0.0.1"
        """Where `moved.test` is."""
        self.asked = 0
        """How often that was asked."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer after a while, or never."""
        message = dns.Message()
        message.fromStr(datagram)
        question = message.queries[0]
        name = str(question.name).partition(".")[0]
        message.answer = 1
        self.asked += name == "moved"
        if name == "dead" or not self.moved:
            return
        if name == "unknown":
            message.rCode = dns.ENAME
        elif question.type == dns.A:
            address = self.moved if name == "moved" else "127.0.0.1"
            message.answers = [dns.RRHeader(question.name.name, dns.A, ttl=1, payload=dns.Record_A(address, 1))]
        self._late.append(reactor.callLater(DELAYS.get(name, 0), self.transport.write, message.toStr(), addr))

    def stopProtocol(self) -> None:
        """The test is over."""
        for late in self._late:
            if late.active():
                late.cancel()


class NameTests(TestCase):
    """A gateway in its own process, whose names come from a server of the test's own."""

    timeout = 60

    async def setting(self, provider: int, command: tuple[str, ...] = GATEWAY) -> Gateway:
        """The gateway, in a mount namespace with a resolv.conf of its own."""
        port = closed_port()
        path = write_config(self, port, provider, CONFIG)
        resolv = Path(os.path.dirname(path), "resolv.conf")
        resolv.write_text(f"nameserver {SERVER}\noptions timeout:2 attempts:2\n")
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            raise SkipTest("this machine gives nobody a mount namespace, and so no resolv.conf for a test")
        try:
            self.names = Names()
            server = reactor.listenUDP(53, self.names, SERVER)
        except Exception as error:
            raise SkipTest(f"this machine lets nobody serve names on {SERVER}: {error}")
        self.addCleanup(server.stopListening)
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        gateway = Gateway(self, path, port, ("unshare", "-m", "sh", "-c", script, str(resolv), *command))
        await gateway.start()
        return gateway

    async def call(self, gateway: Gateway, name: str) -> Answer:
        """The answer to a call to the provider of that name."""
        return await ask(self, gateway.port, post(b"/v1/chat/completions", BODY, (b"x-agent-id", name.encode())))

    def test_moved(self) -> Any:
        """A name that leads elsewhere is followed, without a call that fails; when it is told no more, to where it led."""

        async def scenario() -> None:
            closing = (b"Content-Type", b"application/json"), (b"Connection", b"close")
            places = [Origin(fixed(response(b"{}", *closing))) for _ in range(2)]
            provider = await listen(self, places[0])
            await listen(self, places[1], f"tcp:{provider}:interface=127.0.0.2")
            gateway = await self.setting(provider, QUICKLY)

            async def called() -> None:
                self.assertEqual((await self.call(gateway, "moved")).status, 200)

            await called()
            self.assertEqual([len(place.requests) for place in places], [1, 0])
            self.names.moved = "127.0.0.2"
            deadline = reactor.seconds() + 10
            while not places[1].requests and reactor.seconds() < deadline:
                await called()
            self.names.moved, asked, led = "", self.names.asked, len(places[1].requests)
            while self.names.asked == asked and reactor.seconds() < deadline:
                await called()
            self.assertGreater(len(places[1].requests), led)
            self.assertGreater(self.names.asked, asked)
            await gateway.stop()

        return ensureDeferred(scenario())

    def test_names(self) -> Any:
        """Unknown names are 502, dead and late ones 504 in time, slow ones wait; other providers are not affected."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            gateway = await self.setting(provider)

            async def call(name: str) -> tuple[int, str]:
                answer = await self.call(gateway, name)
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
