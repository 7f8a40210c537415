"""TLS towards providers, whose certificates are checked, and towards agents."""

import os
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import SSL4ClientEndpoint, connectProtocol
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.trial.unittest import TestCase

from tests.certificates import self_signed, write_to
from tests.fixtures import ANTHROPIC_WHOLE, CHAT_STREAM
from tests.harness import CONFIG, RawClient, Running, listen, reactor, start_gateway
from tests.peers import STREAM_HEAD, Origin, ask, chunk, closed_port, fixed, post, response

STREAM = STREAM_HEAD + chunk(CHAT_STREAM.answer) + chunk(b"")


class TlsTests(TestCase):
    """A certificate of our own making, on either side of the gateway."""

    def setUp(self) -> None:
        """Certificate and key in files."""
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)
        self.certificate, self.key = write_to(self.folder)

    async def behind_tls(self, origin: Origin, host: str, more: str) -> Running:
        """A gateway whose `openai` is `origin` behind TLS."""
        address = "127.0.0.1" if host == "localhost" else host
        endpoint = f"ssl:0:interface={address}:privateKey={self.key}:certKey={self.certificate}"
        port = await listen(self, origin, endpoint)
        provider = f'  openai: {{{{base_url: "https://{host}:{port}"{more}}}}}'
        config = CONFIG.replace('  openai: {{base_url: "{provider}"}}', provider)
        return await start_gateway(self, config, origin)

    def test_private_authority(self) -> Any:
        """A provider with a certificate of a private authority is called with `ca_file`, by name and by address."""

        async def scenario() -> None:
            for host in ("localhost", "127.0.0.1"):
                origin = Origin(fixed(STREAM))
                running = await self.behind_tls(origin, host, f", ca_file: {self.certificate}")
                for _ in range(3):
                    answer = await ask(self, running.port, post(b"/v1/chat/completions", CHAT_STREAM.request))
                    self.assertEqual((answer.status, bytes(answer.body)), (200, CHAT_STREAM.answer), bytes(answer.body))
                self.assertEqual((len(running.records), len(origin.visits)), (3, 1))

        return ensureDeferred(scenario())

    def test_unknown_authority(self) -> Any:
        """Without it the call is refused before a byte of it has left, the key above all."""

        async def scenario() -> None:
            origin = Origin(fixed(STREAM))
            running = await self.behind_tls(origin, "localhost", "")
            answer = await ask(self, running.port, post(b"/v1/chat/completions", CHAT_STREAM.request))
            self.assertEqual((answer.status, answer.one(b"x-agentgateway-reason")), (502, "upstream_unreachable"))
            self.assertIn(b"TLS: certificate verify failed", answer.body)
            self.assertEqual((origin.heard, running.records[0]["usage"]), (0, "none"))

        return ensureDeferred(scenario())

    def test_another_host(self) -> Any:
        """A certificate for another host does not do, even one of a trusted authority."""

        async def scenario() -> None:
            origin = Origin(fixed(STREAM))
            running = await self.behind_tls(origin, "127.0.0.2", f", ca_file: {self.certificate}")
            answer = await ask(self, running.port, post(b"/v1/chat/completions", CHAT_STREAM.request))
            self.assertEqual((answer.status, origin.heard), (502, 0))
            self.assertIn(b"not for this host", answer.body)

        return ensureDeferred(scenario())

    async def serving_tls(self, answer: bytes) -> tuple[Running, int]:
        """A gateway that listens with TLS, and its port."""
        port = closed_port()
        endpoint = f"ssl:{port}:interface=127.0.0.1:privateKey={self.key}:certKey={self.certificate}"
        config = CONFIG.replace("port: 0, host: 127.0.0.1", f'listen: ["{endpoint}"]')
        return await start_gateway(self, config, Origin(fixed(answer))), port

    def test_agents(self) -> Any:
        """Agents can call over TLS: whole answers, and streams that end as they should."""

        async def scenario() -> None:
            _, port = await self.serving_tls(response(ANTHROPIC_WHOLE.answer))
            answer = await self.say(port, post(b"/v1/messages", ANTHROPIC_WHOLE.request, (b"Connection", b"close")))
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertTrue(answer.endswith(ANTHROPIC_WHOLE.answer))
            _, port = await self.serving_tls(STREAM)
            raw = post(b"/v1/chat/completions", CHAT_STREAM.request, (b"Connection", b"close"))
            answer = await self.say(port, raw)
            self.assertTrue(answer.endswith(b"\r\n0\r\n\r\n"))
            self.assertIn(CHAT_STREAM.answer, answer)

        return ensureDeferred(scenario())

    def test_cut_stream(self) -> Any:
        """A stream that was cut ends without its last chunk over TLS, too."""

        async def scenario() -> None:
            cut = STREAM_HEAD + chunk(CHAT_STREAM.answer[:200]) + chunk(b"")
            _, port = await self.serving_tls(cut)
            answer = await self.say(port, post(b"/v1/chat/completions", CHAT_STREAM.request))
            self.assertIn(b'"upstream_error"', answer)
            self.assertFalse(answer.endswith(b"\r\n0\r\n\r\n"))

        return ensureDeferred(scenario())

    async def say(self, port: int, raw: bytes) -> bytes:
        """All that comes for a request until the gateway closes."""
        trusted = optionsForClientTLS("localhost", Certificate.loadPEM(self_signed()[0]))
        endpoint = SSL4ClientEndpoint(reactor, "127.0.0.1", port, trusted)
        client: RawClient = await connectProtocol(endpoint, RawClient())
        client.transport.write(raw)
        await client.closed
        return client.received
