"""Processes of a benchmark: started, accounted for by the operating system, always stopped by their id."""

import os
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A started command and its children. Its output goes to the file `output`."""

    def __init__(self, command, output, env=None):
        self.output = output
        self.began = time.monotonic()
        with open(output, "wb") as sink:
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )

    def family(self):
        """Ids of the process and all below it."""
        found, waiting = [], [self.popen.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as children:
                    waiting += [int(child) for child in children.read().split()]
            except OSError:
                continue
        return found

    def cpu(self):
        """Seconds of CPU used so far, in the program and in the kernel for it."""
        return sum(_stat(pid)[0] for pid in self.family()) / TICK

    def rss(self):
        """Bytes resident."""
        return sum(_stat(pid)[1] for pid in self.family()) * PAGE

    def stop(self):
        """Ask it to end, then make it."""
        for kind in (signal.SIGTERM, signal.SIGKILL):
            if self.popen.poll() is not None:
                return
            for pid in self.family() if kind is signal.SIGKILL else [self.popen.pid]:
                try:
                    os.kill(pid, kind)
                except ProcessLookupError:
                    pass
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                continue

    def complaint(self):
        """The last line it printed."""
        with open(self.output, errors="replace") as printed:
            lines = [line for line in printed.read().splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it printed nothing"


def _stat(pid):
    """(ticks of CPU, resident pages) of one process; zeros once it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[11]) + int(fields[12]), int(fields[21])
