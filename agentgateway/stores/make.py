"""The stores there are, by the scheme of the configuration's `store`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

from agentgateway.interfaces import IStore, StoreError
from agentgateway.stores.lanes import ThreadLane
from agentgateway.stores.memory import MemoryStore
from agentgateway.stores.sqlite import SqliteStore

Durability = Literal["process", "power"]
"""What `append` and `settled` together survive: the process killed, or the machine losing power too."""
Alert = Callable[[str], None]


def _memory(path: str, state_dir: str, reactor: Any, alert: Alert, durability: Durability) -> IStore:
    return MemoryStore()


def _sqlite(path: str, state_dir: str, reactor: Any, alert: Alert, durability: Durability) -> IStore:
    return SqliteStore(path, state_dir, partial(ThreadLane, reactor), alert, power=durability == "power")


STORES: Final[Mapping[str, Callable[[str, str, Any, Alert, Durability], IStore]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
}


def make_store(url: str, state_dir: str, reactor: Any, alert: Alert, durability: Durability = "process") -> IStore:
    """The store that `url` names, as in ``sqlite:PATH``; not opened yet. Raises StoreError for an unknown scheme."""
    scheme, _, path = url.partition(":")
    if scheme not in STORES:
        raise StoreError(f"store: expected one of {', '.join(STORES)}, got {scheme!r}")
    return STORES[scheme](path, state_dir, reactor, alert, durability)
