"""The audit log: JSON lines appended to a file, and the latest of them in memory."""

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from agentgateway.domain.audit import AuditRecord, encode
from agentgateway.errors import GatewayError
from agentgateway.stores.files import open_file, reason
from agentgateway.stores.health import Health

LATEST: Final = 2**20
"""Bytes of a log that are read back at the start."""
FULL: Final = "the disk is full"
_decode = msgspec.json.Decoder(AuditRecord).decode


class AuditLogError(GatewayError):
    """The log's path cannot be used; the message says why."""


class AuditLog:
    """Records are with the kernel when `flush` returns, in order, whole lines only.

    A write that fails (a full disk) loses that record from the file, not from memory: it is counted in `missed`, and told
    to `alert` once until writing works again. A line written in part is completed before anything else is written, and
    one that a crash has torn is ended.
    """

    def __init__(self, path: str | None, max_entries: int, alert: Callable[[str], None]) -> None:
        self.tail: deque[AuditRecord] = deque(maxlen=max_entries)
        self.missed = 0
        self._path = path
        self._alert = alert
        self._health = Health(f"audit log {path}", alert)
        self._fd: int | None = None
        self._lines: list[bytes] = []
        """What `flush` will write."""
        self._owed = b""
        """What must come before the next record: the rest of one, or the end of a torn line."""
        if path is not None:
            self._fd, self._owed = _open(path)

    def append(self, record: AuditRecord) -> bytes:
        """Add `record` to the tail, and to the file at the next `flush`; gives its line."""
        line = encode(record)
        self.tail.append(record)
        if self._fd is not None:
            self._lines.append(line + b"\n")
        return line

    def flush(self) -> None:
        """Write what was appended."""
        if not self._lines or self._fd is None:
            return
        lines, self._lines = self._lines, []
        written = 0
        if not (self._health.failing or self._owed):
            data = b"".join(lines)
            try:
                written = os.write(self._fd, data)
            except OSError:
                written = 0
            if written == len(data):
                return
        while lines and written >= len(lines[0]):
            written -= len(lines.pop(0))
        if written:  # the disk is full
            self._owed = lines.pop(0)[written:]
            self._failed(FULL)
        for line in lines:  # each has its own outcome
            self._write(self._fd, line)

    def _write(self, fd: int, line: bytes) -> None:
        data = self._owed + line
        try:
            written, why = os.write(fd, data), FULL
        except OSError as error:
            written, why = 0, reason(error)
        if written == len(data):
            self._owed = b""
            if self._health.failing:
                self._health.works(f"; {self.missed} records are missing")
            return
        if written <= len(self._owed):
            self.missed += 1
            data = self._owed
        self._owed = data[written:]
        self._failed(why)

    def _failed(self, why: str) -> None:
        self._health.failed(f"cannot write: {why}; records stay in memory only")

    def latest(self) -> dict[str, AuditRecord]:
        """The last records of the file (a megabyte of them), by the call's id."""
        if self._fd is None:
            return {}
        start = max(0, os.fstat(self._fd).st_size - LATEST)
        lines = os.pread(self._fd, LATEST, start).split(b"\n")
        records = []
        for line in lines:
            with suppress(msgspec.DecodeError):
                records.append(_decode(line))
        return {record.id: record for record in records}

    def reopen(self) -> None:
        """Open the path anew, for log rotation; where that fails the old file stays in use, with an alert."""
        if self._path is None:
            return
        self.flush()
        try:
            fd, owed = _open(self._path)
        except AuditLogError as error:
            self._alert(str(error))
            return
        self.close()
        self._fd, self._owed = fd, owed

    def close(self) -> None:
        """Close the file; later records go to the tail alone."""
        self.flush()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self.missed += self._owed not in (b"", b"\n")


def _open(path: str) -> tuple[int, bytes]:
    """Open for appending, and what ends its last line if a crash tore it. Raises AuditLogError."""
    folder = os.path.dirname(path)
    try:
        if folder:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        fd = open_file(path, os.O_RDWR | os.O_APPEND)
    except FileExistsError:
        raise AuditLogError(f"audit.log_file: cannot append to {path}: its folder is a file")
    except OSError as error:
        raise AuditLogError(f"audit.log_file: cannot append to {path}: {reason(error)}")
    size = os.fstat(fd).st_size
    torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
    return fd, b"\n" if torn else b""
