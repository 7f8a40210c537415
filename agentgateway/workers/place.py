"""Which of a gateway's processes this one is, and what it has to itself.

All workers read the same file. Each keeps books, a log and a management socket of its own, below the state folder that
the file names; sockets, shared stores and the admin token are common to them.

Worker 0 keeps books and log where a single process does, so that what one has spent is there for the other.
"""

import os
import re
from contextlib import suppress
from typing import Final

import attrs
import msgspec

from agentgateway.admin import admin_token
from agentgateway.config.addresses import arguments
from agentgateway.config.schema import Admin, Config
from agentgateway.ops.systemd import Notifier

SIGN: Final = 1.0
"""Seconds between two signs of life."""
_FOLDER: Final = re.compile(r"worker-[1-9]\d{0,2}")


def folder_of(state_dir: str, number: int) -> str:
    """What worker `number` keeps."""
    return os.path.join(state_dir, f"worker-{number}")


def control_of(state_dir: str, number: int) -> str:
    """The socket on which worker `number` answers for itself alone."""
    return os.path.join(folder_of(state_dir, number), "control.sock")


def books_of(config: Config, state_dir: str, number: int) -> Config:
    """`config` with the books and the log of worker `number`, where `state_dir` is the folder of all of them."""
    folder = folder_of(state_dir, number)
    log = config.audit.log_file
    return attrs.evolve(
        config,
        gateway=attrs.evolve(config.gateway, state_dir=folder),
        audit=attrs.evolve(config.audit, log_file=log and numbered(log, number)),
        store=f"sqlite:{folder}/ledger.sqlite" if number else config.store,
    )


def numbered(path: str, number: int) -> str:
    """`audit.jsonl` as `audit-1.jsonl`, that of worker 0 as it is: no two processes write one file."""
    stem, ending = os.path.splitext(path)
    return f"{stem}-{number}{ending}" if number else path


def former(state_dir: str, count: int) -> list[int]:
    """Workers that have left books in `state_dir`, and are none of the first `count`."""
    try:
        names = os.listdir(state_dir)
    except OSError:
        return []
    numbers = [int(name.removeprefix("worker-")) for name in names if _FOLDER.fullmatch(name)]
    return sorted(k for k in numbers if k >= count and os.path.exists(f"{folder_of(state_dir, k)}/ledger.sqlite"))


class Place(msgspec.Struct, frozen=True):
    """What a worker is given by its parent, as JSON."""

    number: int
    """From 0."""
    path: str
    """The configuration file."""
    state_dir: str
    """The folder of all of them."""
    handed: dict[str, int]
    """Descriptors of sockets that listen, by endpoint string."""
    pipe: int
    """Descriptor on which it says how it stands."""

    @property
    def control(self) -> str:
        """Its own management socket."""
        return control_of(self.state_dir, self.number)

    def control_of(self, number: int) -> str:
        """The management socket of another one."""
        return control_of(self.state_dir, number)

    def notifier(self) -> "PipeNotifier":
        """Tells the parent how this worker stands."""
        return PipeNotifier(self.pipe)

    def own(self, config: Config) -> Config:
        """The file's configuration as it is for this worker. Raises AdminTokenError."""
        common = config.gateway
        own = books_of(config, common.state_dir, self.number)
        gateway = attrs.evolve(own.gateway, admin_token=admin_token(common).secret)
        return attrs.evolve(own, gateway=gateway, admin=self._admin(config.admin))

    def _admin(self, admin: Admin) -> Admin:
        """Each has a manhole of its own on a UNIX socket, named as its log is; any other is the first worker's."""
        if admin.manhole is None:
            return admin
        kind, given = arguments(admin.manhole)
        if kind != "unix":
            return admin if self.number == 0 else Admin()
        address = numbered(given.pop("address"), self.number).replace("\\", "\\\\").replace(":", "\\:")
        return attrs.evolve(
            admin, manhole=":".join(["unix", address, *(f"{key}={value}" for key, value in given.items())])
        )


class PipeNotifier(Notifier):
    """Says to the parent what a service says to systemd, each on lines of its own."""

    def __init__(self, pipe: int) -> None:
        super().__init__({})
        self.watchdog = SIGN
        self._pipe = pipe

    def _tell(self, words: str) -> None:
        with suppress(OSError):  # the parent is gone, as standard input shows, too
            os.write(self._pipe, words.encode() + b"\n")


def endpoints(config: Config) -> tuple[str, ...]:
    """Where the workers listen together: for calls, and for the dashboard."""
    board = config.dashboard
    return tuple(dict.fromkeys((*config.gateway.listen, *(() if board is None else (board.endpoint,)))))
