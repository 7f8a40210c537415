"""A PostgreSQL server for tests: started when first asked for, in a folder of its own, gone with this process.

Its programs refuse to run as root, so as root they run as another user.
"""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "40",
    "shared_buffers": "16MB",
    "autovacuum": "off",
}
"""Nobody here survives a power loss."""


class Server:
    """One server on a loopback port; `stop`, `start`, `kill`, `freeze` and `thaw` are what can happen to it."""

    def __init__(self) -> None:
        self._user = _user()
        self._folder = tempfile.mkdtemp(prefix="postgres-")
        atexit.register(self._end)
        self._data = os.path.join(self._folder, "data")
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        self._databases = 0
        self.port = _free_port()
        self._run("initdb", "-A", "trust", "-U", "gateway", "-E", "UTF8", "--no-locale", "-N", "-D", self._data)
        self.start()

    def database(self, name: str | None = None) -> str:
        """The address of a new database, else of the one named."""
        if name is None:
            self._databases += 1
            name = f"test{self._databases}"
            with psycopg.connect(self.database("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return f"postgresql://gateway:sesame@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Serve again; returns when it does."""
        options = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
        own = f"-c unix_socket_directories={self._folder} -c port={self.port}"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-o", f"{options} {own}", "-l", f"{self._folder}/log")

    def stop(self) -> None:
        """Shut down, cutting connections; returns when it is gone."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self._data)

    def kill(self) -> None:
        """Crash; returns when it is gone."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)

    def freeze(self) -> None:
        """Every process of it stands still: connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """They go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        main = self._main()
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for pid in (main, *map(int, children)):
            with suppress(ProcessLookupError):  # a connection's process, just ended
                os.kill(pid, number)

    def _main(self) -> int:
        return int(Path(self._data, "postmaster.pid").read_text().split("\n")[0])

    def _run(self, program: str, *arguments: str) -> None:
        what: dict[str, Any] = (
            {"user": self._user, "group": self._user_group(), "extra_groups": []} if self._user else {}
        )
        done = subprocess.run(
            (os.path.join(_programs(), program), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # what pg_ctl starts keeps it open
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            **what,
        )
        if done.returncode:
            log = Path(self._folder, "log")
            raise RuntimeError(f"{program} failed: {log.read_text()[-2000:] if log.exists() else 'no log'}")

    def _user_group(self) -> int:
        return pwd.getpwnam(self._user).pw_gid

    def _end(self) -> None:
        if os.path.exists(os.path.join(self._data, "postmaster.pid")):
            self.thaw()
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def server() -> Server:
    """The one that this process's tests share."""
    return Server()


def _programs() -> str:
    """The folder of the newest server programs; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    folders = [os.path.dirname(found)] if found else sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    if not folders:
        raise RuntimeError("PostgreSQL's server is not installed: apt-get install postgresql")
    return folders[-1]


def _user() -> str:
    """Whom to run as; empty: as who we are."""
    if os.geteuid() != 0:
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
