"""Large bodies of unknown length, kept on the disk while they come: one may go on up to the limit and then be too large.

The file never has a name, so nothing is left of it, however the process ends. What the disk does not take stays in memory.
"""

import errno
import sys
from tempfile import TemporaryFile
from typing import Any, Final

from agentgateway.wire.room import Kept, Room

IN_MEMORY: Final = 1_048_576
"""Bytes of a body up to which nothing of it goes to the disk."""
PIECE: Final = 65_536
"""Bytes that are written at once, from then on."""


class Spill(Kept):
    """A body of which all but its end lies in a file once it is a large one."""

    __slots__ = ("_file", "_most", "_written")

    def __init__(self, data: bytes, room: Room) -> None:
        self._file: Any = None
        self._most = IN_MEMORY
        self._written = 0
        super().__init__(data, room)

    def add(self, data: bytes) -> None:
        """Keep more."""
        super().add(data)
        if len(self._data) > self._most:
            self._write()

    def whole(self) -> bytes:
        """All of it. Raises OSError where the disk does not give it back."""
        if self._file is None:
            return super().whole()
        self._write()
        self._file.seek(0)
        head: bytes = self._file.read(self._written)
        if len(head) != self._written:
            raise OSError(errno.EIO, "some of a body is no more on the disk")
        return head + self._data

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = TemporaryFile(buffering=0)  # noqa: SIM115
            while self._data:  # a disk that becomes full takes some, and then fails
                written = self._file.write(self._data)
                self._written += written
                del self._data[:written]
            self._most = PIECE
        except OSError:
            self._most = sys.maxsize

    def __del__(self) -> None:
        super().__del__()
        if self._file is not None:
            self._file.close()
