"""Addresses of a Redis, and a connection that is kept."""

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.interfaces import LiveError
from agentgateway.stores.live.line import Address, Line
from tests.redis import free_port


class AddressTests(SynchronousTestCase):
    """URLs as the configuration has them."""

    def test_parts(self) -> None:
        """Host, port and database; a password, percent-encoded, with or without a name before it."""
        self.assertEqual(Address.of("redis://localhost"), Address("localhost", 6379, 0, None, None))
        self.assertEqual(Address.of("redis://[::1]:7000/2"), Address("::1", 7000, 2, None, None))
        self.assertEqual(Address.of("redis://:a%2Fb%25@h:1"), Address("h", 1, 0, None, "a/b%"))
        self.assertEqual(Address.of("redis://me:p@h/0"), Address("h", 6379, 0, "me", "p"))

    def test_wrong(self) -> None:
        """Other URLs are refused."""
        for url in ("", "localhost", "http://localhost", "redis://", "redis://h/x", "redis://h:x"):
            with self.assertRaises(ValueError):
                Address.of(url)

    def test_password_is_not_shown(self) -> None:
        """Not even in a traceback's values."""
        self.assertNotIn("sesame", repr(Address.of("redis://:sesame@localhost")))


class LineTests(TestCase):
    """Nobody listens."""

    async def test_nobody(self) -> None:
        """Who asks during the first attempt learns how it ended, and who asks later learns it at once."""
        line = Line(Address.of(f"redis://127.0.0.1:{free_port()}"), reactor, lambda: None, lambda protocol: None)
        self.addCleanup(lambda: self.assertIsNone(line.protocol))
        waiting = line.connected()
        line.start()
        error = await self.assertFailure(waiting, LiveError)
        self.assertIn("refused", str(error))
        self.failureResultOf(line.connected(), LiveError)
        await line.close()

    async def test_never_started(self) -> None:
        """Closing what was never started does nothing."""
        await Line(Address.of("redis://localhost"), reactor, lambda: None, lambda protocol: None).close()
