"""Telling systemd how it stands: `sd_notify` is a datagram to a socket that it names (systemd.notify(3))."""

import os
import socket
import time
from collections.abc import Mapping

from twisted.logger import Logger


class Notifier:
    """Says READY, RELOADING, STOPPING and WATCHDOG; silent where nobody asked to be told."""

    _log = Logger()

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        pid, usec = environ.get("WATCHDOG_PID"), environ.get("WATCHDOG_USEC", "")
        ours = pid is None or pid == str(os.getpid())
        self.watchdog: float | None = int(usec) / 2_000_000 if usec.isdigit() and int(usec) and ours else None
        """Seconds between two signs of life; None where none are asked for."""

    def ready(self) -> None:
        """Calls are served."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """No new calls are served."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """The reactor turns."""
        self._tell("WATCHDOG=1")

    def _tell(self, words: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(words.encode(), address)
        except OSError as error:
            self._log.warn("systemd was not told: {error}", error=error.strerror)
