"""Request smuggling: nothing that two parsers could read differently gets through, here no less than in nginx and haproxy."""

from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import connect, listen, reactor, until
from tests.trust.gateway import start
from tests.trust.proxies import Ears, proxy
from tests.trust.shapes import HARMLESS, SMUGGLED

SILENCE = 0.15
"""Seconds without a word after which nothing more is waited for from those that keep the connection."""


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

    async def beside(self, name: str) -> list[str]:
        """The shapes that another proxy passes on, in front of the same provider."""
        port, ears = await proxy(self, name)
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
            passed = await self.beside("nginx")
            print(f"nginx passes {len(passed)} of {len(SMUGGLED)}: {', '.join(passed)}")

        return ensureDeferred(scenario())

    def test_beside_haproxy(self) -> Any:
        """So does haproxy."""

        async def scenario() -> None:
            passed = await self.beside("haproxy")
            print(f"haproxy passes {len(passed)} of {len(SMUGGLED)}: {', '.join(passed)}")

        return ensureDeferred(scenario())
