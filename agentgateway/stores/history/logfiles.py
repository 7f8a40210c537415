"""The log's files, old and new: which there are, and what is in them from a place on. Everything here blocks.

A log file goes by its first line, which holds a call's random id: it is the same file after it was renamed, copied or
compressed by log rotation, and another one after it was emptied.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO, Final, cast

import attrs

CHUNK: Final = 2**18
"""Bytes taken at once: some five hundred records, a few milliseconds of work."""
LONGEST: Final = 2**24
"""Bytes of a line; what has longer ones is no log."""
DAMAGED: Final = (EOFError, zlib.error, gzip.BadGzipFile)
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
    """A file in use, by its `name` for all places it may ever be in."""

    file: BinaryIO
    name: str

    def chunk(self, position: int) -> bytes:
        """Whole lines from `position` (bytes) on; none: that is all so far. Raises OSError, and DAMAGED."""
        self.file.seek(position)
        data = self.file.read(CHUNK) + self.file.readline(LONGEST)
        return data[: data.rfind(b"\n") + 1]


@contextmanager
def opened(path: str) -> Iterator[Opened | None]:
    """The file at `path` for reading; None where its first line is not whole yet. Raises OSError, and DAMAGED."""
    with _open(path) as file:
        first = file.readline(LONGEST)
        yield Opened(file, sha256(first).hexdigest()[:32]) if first.endswith(b"\n") else None


def _open(path: str) -> BinaryIO:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    file = os.fdopen(fd, "rb")
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.endswith(".gz") else file


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
