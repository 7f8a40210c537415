"""The log's files, old and new: which there are, and what is in them from a place on. Everything here blocks.

A log file goes by its first line, which holds a call's random id: it is the same file after it was renamed, copied or
compressed by log rotation, and another one after it was emptied.
"""

import os
import re
import zlib
from gzip import BadGzipFile, GzipFile
from hashlib import sha256
from typing import BinaryIO, Final, cast

import attrs

CHUNK: Final = 2**18
"""Bytes taken at once: some five hundred records, a few milliseconds of work."""
LONGEST: Final = 2**24
"""Bytes of a line; what has longer ones is no log."""
DAMAGED: Final = (EOFError, zlib.error, BadGzipFile)
"""What reading a compressed file raises that is damaged, or not yet whole."""

State = tuple[int, int, int]
"""Inode, size and time of the last change: where they are the same, so is the file."""


@attrs.frozen
class LogFile:
    """One that was found; `state` is as of then."""

    path: str
    state: State

    @property
    def compressed(self) -> bool:
        """Whether it is, and so is complete."""
        return self.path.endswith(".gz")


@attrs.frozen
class Opened:
    """A file in use, by its `name` for all places it may ever be in; None where its first line is not whole yet."""

    file: BinaryIO
    name: str | None
    _raw: BinaryIO
    """What `file` reads from; closing that one leaves this one open."""

    def close(self) -> None:
        """It is used no more."""
        self.file.close()
        self._raw.close()

    def chunk(self, position: int) -> bytes:
        """Whole lines from `position` (bytes) on; none: that is all so far. Raises OSError, and DAMAGED."""
        self.file.seek(position)
        data = self.file.read(CHUNK) + self.file.readline(LONGEST)
        return data[: data.rfind(b"\n") + 1]


def open_log(path: str) -> Opened:
    """The file at `path` for reading. Raises OSError, and DAMAGED."""
    raw = os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    try:
        file = cast(BinaryIO, GzipFile(fileobj=raw)) if path.endswith(".gz") else raw
        first = file.readline(LONGEST)
    except BaseException:
        raw.close()
        raise
    return Opened(file, sha256(first).hexdigest()[:32] if first.endswith(b"\n") else None, raw)


class Shelf:
    """The file that is being read, open: to get to a place in a compressed one all before it has to be unpacked."""

    def __init__(self) -> None:
        self._of: LogFile | None = None
        self._log: Opened | None = None

    def take(self, file: LogFile) -> Opened:
        """It, or another one from now on. Raises as `open_log`."""
        if self._log is None or file != self._of:
            self.clear()
            self._of, self._log = file, open_log(file.path)
        return self._log

    def clear(self) -> None:
        """It is read no more."""
        log, self._log = self._log, None
        if log is not None:
            log.close()


def relatives(path: str) -> list[LogFile]:
    """The log at `path` and those beside it that rotation made of it, or that are other workers', oldest first.

    Their names go on behind its own (``audit.jsonl.1.gz``), or differ from it only in a number (``audit-2.jsonl``).
    Raises OSError.
    """
    folder, base = os.path.split(path)
    stem, found = _unnumbered(base), []
    for entry in os.scandir(folder):
        if _unnumbered(entry.name).startswith(stem) and entry.is_file(follow_symlinks=False):
            about = entry.stat(follow_symlinks=False)
            found.append(LogFile(entry.path, (about.st_ino, about.st_size, about.st_mtime_ns)))
    return sorted(found, key=lambda one: one.state[2])


def _unnumbered(name: str) -> str:
    return re.sub(r"-?\d+", "", name) or name
