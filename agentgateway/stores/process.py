"""The name of a process among those that share stores: random, and the same after a restart."""

import os
import re
import secrets
from contextlib import suppress
from typing import Final

from agentgateway.interfaces import StoreError
from agentgateway.stores.files import make_folder, open_file, reason

_FORM: Final = re.compile(rb"[0-9a-f]{16}\n")


def process_id(state_dir: str) -> str:
    """16 hex digits, kept in the file `process` of a process's own state folder. Raises StoreError."""
    make_folder(state_dir)
    path = os.path.join(state_dir, "process")
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


def _make(path: str) -> bytes:
    """A new name, in a file that appears whole and survives a power loss: with half a name it would be somebody else."""
    text, draft = secrets.token_hex(8).encode() + b"\n", f"{path}.new"
    fd = open_file(draft, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(fd, text)
        os.fsync(fd)
        os.replace(draft, path)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(draft)
    return text
