"""Listening on a socket that somebody else has opened, and that others listen on too."""

import errno
import os
import shutil
import socket
import ssl
from tempfile import mkdtemp
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.ops.handed import PAUSE, HandedPort
from agentgateway.ops.listening import Listening, listening
from tests.certificates import write_to
from tests.harness import reactor


class Named(Protocol):
    """Says who it is."""

    def connectionMade(self) -> None:
        """Once somebody is let in."""
        self.transport.write(self.factory.name)
        self.transport.loseConnection()


def named(name: bytes) -> Factory:
    """A factory of those."""
    factory = Factory.forProtocol(Named)
    factory.name = name
    return factory


class SharedTests(TestCase):
    """A socket, its holder, and two that let callers in."""

    async def share(self, endpoint: str) -> tuple[Listening, list[Any]]:
        """The holder and the two."""
        held = listening(endpoint, named(b"holder"), reactor)
        held.hold()
        handed = {endpoint: held.descriptor}
        both = [listening(endpoint, named(name), reactor, handed) for name in (b"one", b"two")]
        for each in both:
            each.privilegedStartService()
            each.startService()
        return held, both

    async def callers(self, held: Listening, count: int, talk: Any = lambda connection: connection) -> list[bytes]:
        """Who lets them in."""
        address = socket.socket(fileno=os.dup(held.descriptor))
        family, name = address.family, address.getsockname()
        address.close()

        def call() -> bytes:
            with socket.socket(family) as plain:
                plain.connect(name)
                connection: Any = talk(plain)
                answer: bytes = connection.recv(100)
                return answer

        return [await deferToThread(call) for _ in range(count)]

    async def end(self, held: Listening, both: list[Any]) -> None:
        """All of them."""
        for each in (*both, held):
            await each.stopService()

    async def test_tcp(self) -> None:
        """Callers are let in by those who have it, never by its holder, and by the other one when one is gone."""
        held, both = await self.share("tcp:0:interface=127.0.0.1")
        self.assertLessEqual(set(await self.callers(held, 20)), {b"one", b"two"})
        await both[0].stopService()
        self.assertEqual(set(await self.callers(held, 5)), {b"two"})
        await self.end(held, both[1:])

    async def test_unix(self) -> None:
        """A Unix socket keeps its place and its mode while those who have it come and go."""
        folder = mkdtemp(prefix="agw-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "socket")
        held, both = await self.share(f"unix:{path}:mode=600")
        await both[0].stopService()
        self.assertEqual(await self.callers(held, 2), [b"two"] * 2)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        await self.end(held, both[1:])
        self.assertFalse(os.path.exists(path))

    async def test_tls(self) -> None:
        """TLS is done by whoever lets a caller in."""
        folder = self.mktemp()
        os.makedirs(folder)
        certificate, key = write_to(folder)
        held, both = await self.share(f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}")
        context = ssl.create_default_context(cafile=certificate)
        found = await self.callers(held, 4, lambda plain: context.wrap_socket(plain, server_hostname="localhost"))
        self.assertLessEqual(set(found), {b"one", b"two"})
        await self.end(held, both)


class Full:
    """A socket of a process that can open nothing more."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.tries = 0

    def accept(self) -> Any:
        """It fails, as it does when there is no descriptor left."""
        self.tries += 1
        raise OSError(errno.EMFILE, "Too many open files")

    def fileno(self) -> int:
        """Any."""
        return 5


class Readers(Clock):
    """A reactor that knows who reads."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        """One more."""
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        """One less."""
        if reader in self.readers:
            self.readers.remove(reader)


class FullTests(SynchronousTestCase):
    """Where no descriptor is left."""

    def test_pause(self) -> None:
        """It waits a moment, rather than trying all the time, and then goes on."""
        clock, full = Readers(), Full()
        with socket.socket() as listener:
            port = HandedPort(listener.fileno(), named(b"x"), clock)
        port.socket.close()
        port.socket = full  # type: ignore[assignment]
        port.startListening()
        port.doRead()
        self.assertEqual((clock.readers, full.tries), ([], 1))
        clock.advance(PAUSE)
        self.assertEqual(clock.readers, [port])
