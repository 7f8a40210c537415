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
        return _read(path) or _make(path)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {reason(error)}")


def _read(path: str) -> str:
    """What the file says; nothing where a crash left it empty or in part."""
    fd = open_file(path, os.O_RDONLY)
    try:
        text = os.read(fd, 100)
    finally:
        os.close(fd)
    return text.decode().strip() if _FORM.fullmatch(text) else ""


def _make(path: str) -> str:
    """A new name, in a file that appears whole and survives a power loss."""
    name, draft = secrets.token_hex(8), f"{path}.new"
    fd = open_file(draft, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(fd, name.encode() + b"\n")
        os.fsync(fd)
        os.replace(draft, path)
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):
            os.unlink(draft)
    return name
