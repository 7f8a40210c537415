"""Tests of agentgateway.ops.dashboard.site: strangers at the dashboard's port."""

from typing import Any

from twisted.internet.testing import StringTransport

from agentgateway.ops.dashboard.site import LIFETIME, MAX_BODY, MAX_CONNECTIONS, assets
from tests.harness import connect, until
from tests.ops.dashboard.served import Served


class SiteTests(Served):
    """What one connection may take."""

    async def test_large(self) -> None:
        """A body that is too large, or of no known length, is not waited for."""
        for fields in ({"Content-Length": str(MAX_BODY + 1)}, {"Transfer-Encoding": "chunked"}):
            raw = await connect(self, self.port)
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            transport: Any = raw.transport
            transport.write(f"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode())
            await until(lambda raw=raw: raw.lost)

    async def test_slow(self) -> None:
        """A connection that lasts is closed, however slowly it goes on; a WebSocket stays."""
        viewer = await self.client()
        slow = await connect(self, self.port)
        transport: Any = slow.transport
        transport.write(b"GET / HTTP/1.1\r\nHost: 127.0")
        site = self.service.site
        await until(lambda: [channel for channel in site._open if channel.transport is not None])
        for channel in site._open:
            site._open[channel] -= LIFETIME + 1
        site.sweep()
        await until(lambda: slow.lost)
        self.assertFalse(viewer.raw.lost)
        site.sweep()
        self.assertEqual(len(site._open), 0)

    async def test_many(self) -> None:
        """There are only so many connections at once."""
        site = self.service.site
        for _ in range(MAX_CONNECTIONS):
            channel = site.buildProtocol(None)
            channel.transport = StringTransport()
            channel.transport.protocol = channel
        self.assertIsNone(site.buildProtocol(None))
        site._open.clear()


class AssetTests(Served):
    """The page's files."""

    async def test_types(self) -> None:
        """Each has a type that a browser takes for what it is."""
        found = assets()
        types = {name: found[name]._type for name in ("index.html", "app.js", "style.css", "icon.svg")}
        self.assertEqual(
            types,
            {
                "index.html": b"text/html; charset=utf-8",
                "app.js": b"text/javascript; charset=utf-8",
                "style.css": b"text/css; charset=utf-8",
                "icon.svg": b"image/svg+xml",
            },
        )

    async def test_no_markup(self) -> None:
        """No script of ours makes elements of text, or text of elements' insides: what came from a call stays text."""
        for name, asset in assets().items():
            if name.endswith(".js") and not name.startswith("vendor/"):
                for word in (
                    b"innerHTML",
                    b"outerHTML",
                    b"insertAdjacentHTML",
                    b"document.write",
                    b"eval(",
                    b"Function(",
                ):
                    self.assertNotIn(word, asset._content, name)
