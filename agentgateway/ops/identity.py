"""Which process of a fleet this is: an id that it keeps for as long as its state folder."""

import os
import re
import secrets
from typing import Final

from agentgateway.errors import GatewayError

FILE: Final = "process"
_ID = re.compile(r"[0-9a-f]{16}")


class IdentityError(GatewayError):
    """The file with the id cannot be read or made; the message says why."""


def process_id(state_dir: str) -> str:
    """The id in the state folder, 16 hexadecimal digits, made where there is none. Raises IdentityError."""
    path = os.path.join(state_dir, FILE)
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                known = file.read(64).strip()
        except FileNotFoundError:
            known = _make(path)
    except OSError as error:
        raise IdentityError(f"cannot use this process's id in {path}: {error.strerror}")
    if not _ID.fullmatch(known):
        raise IdentityError(
            f"{path} is no process id: remove it, and what this process has borrowed is counted as spent"
        )
    return known


def _make(path: str) -> str:
    """Made whole or not at all: half an id would be somebody else."""
    made = secrets.token_hex(8)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "x", encoding="ascii") as file:
        file.write(made + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    return made
