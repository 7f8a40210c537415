"""What others know a process by that shares stores with them: a random name that it keeps, and which start of it this is."""

import os
import re
import secrets
from contextlib import suppress
from typing import Final

from agentgateway.interfaces import StoreError
from agentgateway.stores.files import make_folder, open_file, reason

_FORM: Final = re.compile(rb"[0-9a-f]{16}\n")


def home(store: str) -> str:
    """The folder in which a process keeps name and number: that of its books, whose sums go by them. `store` names these."""
    return os.path.dirname(store.partition(":")[2])


def process_id(folder: str) -> str:
    """16 hex digits, kept in the file `process` of a process's `home`. Raises StoreError."""
    make_folder(folder)
    path = os.path.join(folder, "process")
    try:
        text = _read(path) if os.path.lexists(path) else _make(path)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {reason(error)}")
    if not _FORM.fullmatch(text):
        raise StoreError(f"{path} is no name of a process; without it, what this one has spent is counted twice")
    return text.decode().strip()


def _read(path: str) -> bytes:
    fd = open_file(path, os.O_RDONLY)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


def next_run(folder: str, now: float) -> int:
    """A higher number with each start; `now` in epoch seconds. Raises StoreError.

    It is above the one before, whatever the clock says, and by the clock where the folder comes from a backup.
    """
    make_folder(folder)
    path = os.path.join(folder, "run")
    try:
        text = _read(path) if os.path.lexists(path) else b"0"
        run = max(int(text) + 1, int(now))
        _write(path, b"%d\n" % run)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {reason(error)}")
    except ValueError:
        raise StoreError(f"{path} does not say which start of this process was the last")
    return run


def _make(path: str) -> bytes:
    text = secrets.token_hex(8).encode() + b"\n"
    _write(path, text)
    return text


def _write(path: str, text: bytes) -> None:
    """A file that appears whole and survives a power loss: with half a name a process would be somebody else."""
    draft = f"{path}.new"
    fd = open_file(draft, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(fd, text)
        os.fsync(fd)
        os.replace(draft, path)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(draft)
