"""Request smuggling: nothing that two parsers could read differently gets through, here no less than in nginx and haproxy."""

import os
import shutil
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import SkipTest, TestCase

from tests.harness import connect, listen, reactor, until
from tests.peers import closed_port, response
from tests.reality.processes import listens, spawn
from tests.trust.gateway import start
from tests.trust.shapes import HARMLESS, SMUGGLED

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://127.0.0.1:{provider}; proxy_http_version 1.1; proxy_request_buffering off; }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
listen all
  bind 127.0.0.1:{port}
  server one 127.0.0.1:{provider}
"""
COMMANDS = {"nginx": ("-p", "{folder}", "-e", "{folder}/error.log", "-c"), "haproxy": ("-db", "-f")}
SILENCE = 0.15
"""Seconds without a word after which nothing more is waited for from those that keep the connection."""


class Ear(Protocol):
    """A provider's connection that keeps what it hears, and says yes to all of it."""

    factory: "Ears"

    def dataReceived(self, data: bytes) -> None:
        """Something."""
        self.factory.heard += data
        self.transport.write(response(b"{}"))


class Ears(ServerFactory):
    """A provider that understands nothing."""

    protocol = Ear
    noisy = False

    def __init__(self) -> None:
        self.heard = b""


async def outcome(testcase: Any, port: int, raw: bytes, patient: bool) -> tuple[bytes, bool]:
    """What a server says to some bytes, and whether it closes; where not `patient` silence is taken for its end."""
    client = await connect(testcase, port)
    client.transport.write(raw)
    since, last = reactor.seconds(), -1

    def over() -> bool:
        nonlocal since, last
        if len(client.received) != last:
            last, since = len(client.received), reactor.seconds()
        return client.lost or (not patient and reactor.seconds() - since > SILENCE)

    await until(over, 40)
    closed = client.lost
    if not closed:
        client.transport.abortConnection()
        await client.closed
    return client.received, closed


class SmugglingTests(TestCase):
    """A gateway in its own process, before a provider that hears every byte."""

    timeout = 120

    def test_refused(self) -> Any:
        """Each shape is refused with 400 and the connection closed; the provider hears nothing of either request."""

        async def scenario() -> None:
            ears = Ears()
            gateway = await start(self, await listen(self, ears))
            for what, raw in SMUGGLED.items():
                heard, closed = await outcome(self, gateway.port, raw, True)
                self.assertTrue(heard.startswith(b"HTTP/1.1 400 "), (what, heard))
                self.assertEqual((heard.count(b"Content-Length:"), closed), (1, True), (what, heard))
                self.assertIn(b"Connection: close", heard, what)
                self.assertEqual(ears.heard, b"", what)
                record = gateway.records[-1]
                self.assertEqual((record["outcome"], record["cost_usd"]), ("refused", 0), what)
            self.assertEqual(len(gateway.records), len(SMUGGLED))
            for what, raw in HARMLESS.items():
                heard, _ = await outcome(self, gateway.port, raw, False)
                self.assertTrue(heard.startswith(b"HTTP/1.1 200 "), (what, heard))
            await gateway.stop()

        return ensureDeferred(scenario())

    async def beside(self, name: str, config: str) -> list[str]:
        """The shapes that another proxy passes on, in front of the same provider."""
        binary = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
        if binary is None:
            raise SkipTest(f"there is no {name} on this machine (Debian: {name})")
        ears = Ears()
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        port, path = closed_port(), Path(folder, "config")
        path.write_text(config.format(folder=folder, port=port, provider=await listen(self, ears)))
        process = spawn(self, binary, *(word.format(folder=folder) for word in COMMANDS[name]), str(path))
        await until(lambda: process.over or listens(port), 10)
        self.assertFalse(process.over, process.err)
        passed = []
        for what, raw in SMUGGLED.items():
            ears.heard = b""
            await outcome(self, port, raw, False)
            if ears.heard:
                passed.append(what)
        for what, raw in HARMLESS.items():
            heard, _ = await outcome(self, port, raw, False)
            self.assertTrue(heard.startswith(b"HTTP/1.1 200 "), (what, heard))
        return passed

    def test_beside_nginx(self) -> Any:
        """nginx passes some of the shapes on, and refuses none of the harmless requests that pass here."""

        async def scenario() -> None:
            passed = await self.beside("nginx", NGINX)
            print(f"nginx passes {len(passed)} of {len(SMUGGLED)}: {', '.join(passed)}")

        return ensureDeferred(scenario())

    def test_beside_haproxy(self) -> Any:
        """So does haproxy."""

        async def scenario() -> None:
            passed = await self.beside("haproxy", HAPROXY)
            print(f"haproxy passes {len(passed)} of {len(SMUGGLED)}: {', '.join(passed)}")

        return ensureDeferred(scenario())
