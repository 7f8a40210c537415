"""Words to systemd, and silence where it does not listen."""

import os
import shutil
import socket
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.systemd import Notifier


class NotifierTests(SynchronousTestCase):
    """What is said on which socket."""

    def listening(self, address: str) -> socket.socket:
        """A socket that is told."""
        found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(found.close)
        found.bind(address)
        return found

    def test_words(self) -> None:
        """Each word has the form of sd_notify(3)."""
        folder = mkdtemp(prefix="agw-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "notify")
        systemd, notifier = self.listening(path), Notifier({"NOTIFY_SOCKET": path})
        for say, words in (
            (notifier.ready, rb"READY=1"),
            (notifier.reloading, rb"RELOADING=1\nMONOTONIC_USEC=\d+"),
            (notifier.stopping, rb"STOPPING=1"),
            (notifier.alive, rb"WATCHDOG=1"),
        ):
            say()
            self.assertRegex(systemd.recv(100), rb"\A" + words + rb"\Z")

    def test_abstract(self) -> None:
        """A name that begins with @ is that of an abstract socket."""
        name = f"agw-{os.getpid()}-{id(self)}"
        systemd = self.listening("\0" + name)
        Notifier({"NOTIFY_SOCKET": "@" + name}).ready()
        self.assertEqual(systemd.recv(100), b"READY=1")

    def test_nobody(self) -> None:
        """Nothing happens where nobody asked, or nobody listens any more."""
        Notifier({}).ready()
        Notifier({"NOTIFY_SOCKET": os.path.abspath("nowhere")}).ready()

    def test_full(self) -> None:
        """A socket that is full is not waited for."""
        name = f"agw-{os.getpid()}-{id(self)}"
        self.listening("\0" + name)
        notifier = Notifier({"NOTIFY_SOCKET": "@" + name})
        for _ in range(5000):
            notifier.alive()

    def test_watchdog(self) -> None:
        """Signs of life come twice in the time that systemd gives; not for another process, nor where it gives none."""
        mine, other = str(os.getpid()), str(os.getpid() + 1)
        for environ, seconds in (
            ({"WATCHDOG_USEC": "30000000"}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": mine}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": other}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({}, None),
        ):
            self.assertEqual(Notifier(environ).watchdog, seconds)
