"""A redis-server of the tests' own, on a free port of this machine."""

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

PATIENCE = 20.0
"""Seconds in which a server must answer."""


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Redis:
    """A running server that keeps nothing on disk; `stop` it. It comes back on the same port, empty, after `kill`.

    At first a fleet has used its `database` before, so that money is lent at once.
    """

    def __init__(self, password: str = "", database: int = 0) -> None:
        self.port = free_port()
        self.password = password
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        begun = f"redis.call('SELECT', {database}) redis.call('SET', 'ag:epoch', cmsgpack.pack({{'begun', 0, false}}))"
        self.command("EVAL", begun, "0")

    @property
    def url(self) -> str:
        """What a gateway is told."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}" if self.password else f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Run it, and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "requirepass": self.password}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        with Path(self._folder.name, "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", *arguments], cwd=self._folder.name, stdout=log, stderr=log
            )
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.command("PING")
                return
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.01)

    def command(self, *words: str) -> bytes:
        """Say something, blocking; gives the answer as it comes, up to 64 KiB. Raises OSError where nobody answers."""
        spoken = [("AUTH", self.password)] if self.password else []
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            answer = b""
            for line in [*spoken, words]:
                text = b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in line)
                connection.sendall(b"*%d\r\n" % len(line) + text)
                answer = connection.recv(1 << 16)
        return answer

    def freeze(self) -> None:
        """Let it hang, as a machine that swaps does."""
        self._signal(SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(SIGCONT)

    def kill(self) -> None:
        """End it at once; what it knew is lost."""
        self._end(SIGKILL)

    def stop(self) -> None:
        """End it, and clean up."""
        self._signal(SIGCONT)
        self._end(SIGTERM)
        self._folder.cleanup()

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None
