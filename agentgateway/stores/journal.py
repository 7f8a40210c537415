"""The journal: what happened since the last checkpoint, appended with one `write` an event to a numbered segment file.

Checkpoint N makes all segments up to N superfluous, so the journal begins a new one at the moment of each. Reading back,
the last line of a segment may be torn by a crash; anything else that is no record stops the start.

While writing fails (a full disk) lines are kept in memory, in order, and a line written in part is continued at the very
byte where it stopped: nothing newer is written before, and no line is ever torn in the middle of a segment.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import attrs

from agentgateway.interfaces import Change, StoreError
from agentgateway.stores.files import make_folder, open_file, reason
from agentgateway.stores.health import Health
from agentgateway.stores.lines import decode_event

MAX_OWED: Final = 64 * 2**20
"""Bytes kept in memory while the disk refuses them; beyond, events are in memory as balances only, until a checkpoint."""

_NAME: Final = re.compile(r"(\d{12})\.jsonl")


@attrs.define(eq=False)
class Segment:
    """One file of the journal; `owed` is what the kernel has not taken yet."""

    number: int
    path: str
    fd: int
    owed: bytearray = attrs.Factory(bytearray)


class Journal:
    """The segments in `folder`. Only `remove` may be called from another thread."""

    def __init__(self, folder: str, alert: Callable[[str], None]) -> None:
        self._folder = folder
        self._health = Health(f"journal {folder}", alert)
        self._segments: list[Segment] = []
        self._missed = 0
        self._safe = 0  # segments below this number have been handed out by `handles`, whole

    def open(self, after: int) -> list[Change]:
        """What segments above number `after` say; a new segment is begun. Raises StoreError."""
        make_folder(self._folder)
        self.remove(after)
        try:
            numbers = self._numbers()
            changes = [change for number in numbers if number > after for change in self._read(number)]
            self._begin(max([after, *numbers]) + 1)
        except OSError as error:
            raise StoreError(f"cannot use the journal in {self._folder}: {reason(error)}")
        return changes

    def append(self, line: bytes) -> None:
        """Hand a line to the kernel; where that fails, remember it. Never raises."""
        current = self._segments[-1]
        if not self._health.failing:
            try:
                written = os.write(current.fd, line)
            except OSError as error:
                written = 0
                self._health.failed(reason(error))
            if written == len(line):
                return
            line = line[written:]
        elif len(current.owed) + len(line) > MAX_OWED:
            self._missed += 1
            return
        current.owed += line
        self.flush()

    def flush(self) -> None:
        """Try again to write what is owed, the oldest first."""
        for segment in self._segments:
            while segment.owed:
                try:
                    del segment.owed[: os.write(segment.fd, segment.owed)]
                except OSError as error:
                    return self._health.failed(f"{reason(error)}; what is spent is kept in memory")
        self._works()

    def rotate(self) -> int:
        """Begin a new segment; gives the number of the one that ended. Raises OSError, then nothing has changed."""
        ended = self._segments[-1].number
        self._begin(ended + 1)
        return ended

    def drop(self, upto: int) -> None:
        """A checkpoint holds all of the segments up to this number: nothing of them is owed any more."""
        for segment in self._segments:
            if segment.number <= upto:
                os.close(segment.fd)
        self._segments = [segment for segment in self._segments if segment.number > upto]
        if self._health.failing:
            self.flush()

    def remove(self, upto: int) -> None:
        """Delete the files of segments up to this number; one that stays is passed over by the next `open`."""
        with suppress(OSError):
            for number in self._numbers():
                if number <= upto:
                    os.unlink(self._path(number))

    def handles(self) -> list[int]:
        """Copies of the descriptors that a sync needs to cover what was appended since the last call; to be closed."""
        handles = [os.dup(segment.fd) for segment in self._segments if segment.number >= self._safe]
        if self._safe < self._segments[-1].number:
            handles.append(os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        self._safe = self._segments[-1].number
        return handles

    def close(self) -> None:
        """Close every file."""
        self.drop(self._segments[-1].number if self._segments else 0)

    def _works(self) -> None:
        if self._health.failing:
            missing = f"{self._missed} events of it are" if self._missed else "nothing of it is"
            self._health.works(f"; {missing} missing")
            self._missed = 0

    def _begin(self, number: int) -> None:
        path = self._path(number)
        fd = open_file(path, os.O_WRONLY | os.O_APPEND | os.O_EXCL)
        self._segments.append(Segment(number, path, fd))

    def _numbers(self) -> list[int]:
        return sorted(int(match[1]) for match in map(_NAME.fullmatch, os.listdir(self._folder)) if match)

    def _path(self, number: int) -> str:
        return os.path.join(self._folder, f"{number:012d}.jsonl")

    def _read(self, number: int) -> Iterator[Change]:
        path = self._path(number)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(fd, "rb") as file:
                data = file.read()
        except OSError as error:
            raise StoreError(f"cannot read {path}: {reason(error)}")
        return changes_of(path, data)


def changes_of(path: str, data: bytes) -> Iterator[Change]:
    """The changes of a segment. Raises StoreError for what is no record, unless it is the torn end."""
    *lines, last = data.split(b"\n")
    at = 0
    for line in lines:
        try:
            yield from decode_event(line)
        except (ValueError, RecursionError) as error:
            raise StoreError(
                f"{path}: the line at byte {at} is no record ({error}); move the file away to start without its changes"
            )
        at += len(line) + 1
    try:
        yield from decode_event(last)
    except (ValueError, RecursionError):
        return  # torn by a crash: its event was never told to be done
