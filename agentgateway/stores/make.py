"""The stores there are, by the scheme of the configuration's `store`, and the one that several processes share."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

from agentgateway.config.schema import Shared
from agentgateway.interfaces import IStore, StoreError
from agentgateway.stores.lanes import ThreadLane
from agentgateway.stores.memory import MemoryStore
from agentgateway.stores.process import home, process_id
from agentgateway.stores.sqlite import SqliteStore

Durability = Literal["process", "power"]
"""What `append` and `settled` together survive: the process killed, or the machine losing power too."""
Alert = Callable[[str], None]
WRITING: Final = 30.0
"""Seconds that writing a chunk to PostgreSQL may take, at most."""
READING: Final = 10.0
"""Seconds that a question to PostgreSQL may take, at most."""
READERS: Final = 2
"""Questions that PostgreSQL is asked at once."""


def _memory(path: str, state_dir: str, reactor: Any, alert: Alert, durability: Durability) -> IStore:
    return MemoryStore()


def _sqlite(path: str, state_dir: str, reactor: Any, alert: Alert, durability: Durability) -> IStore:
    return SqliteStore(path, state_dir, partial(ThreadLane, reactor), alert, power=durability == "power")


STORES: Final[Mapping[str, Callable[[str, str, Any, Alert, Durability], IStore]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
}


def make_store(
    url: str,
    state_dir: str,
    reactor: Any,
    alert: Alert,
    durability: Durability = "process",
    shared: Shared | None = None,
    log_file: str | None = None,
) -> IStore:
    """The store that `url` names, as in ``sqlite:PATH``; not opened yet. Raises StoreError for an unknown scheme.

    With `shared` it keeps the process's own books, and history is loaded from `log_file` into what `shared` names. Raises
    StoreError where that cannot be.
    """
    scheme, _, path = url.partition(":")
    if scheme not in STORES:
        raise StoreError(f"store: expected one of {', '.join(STORES)}, got {scheme!r}")
    own = STORES[scheme](path, state_dir, reactor, alert, durability)
    return own if shared is None else _shared(own, shared, log_file, home(url), reactor, alert)


def _shared(own: IStore, shared: Shared, log_file: str | None, folder: str, reactor: Any, alert: Alert) -> IStore:
    """Raises StoreError; what it needs is not installed with every gateway."""
    if log_file is None:
        raise StoreError("audit.log_file is needed with a shared store: history is loaded from it")
    try:
        from agentgateway.stores.history.archive import Archive
        from agentgateway.stores.history.loader import Loader
        from agentgateway.stores.history.sessions import Address, Sessions
        from agentgateway.stores.shared import SharedStore
    except ImportError as error:
        raise StoreError(f"store.history needs twisted-agentgateway[shared]: {error}")
    address = Address.of(shared.history.value)
    loader = Loader(os.path.abspath(log_file), shared.retention_months)

    def archive() -> Archive:
        writing = Sessions(reactor, address, 1, WRITING)
        reading = Sessions(reactor, address, READERS, READING, keep=False)
        return Archive(process_id(folder), loader, writing, reading, alert, reactor)

    return SharedStore(own, archive)
