"""What each key may say alone, but not together with another one."""

from collections.abc import Iterator

from agentgateway.config.addresses import arguments
from agentgateway.config.schema import Config
from agentgateway.config.tree import Node, Scalar, Table, Wrong


def clashes(root: Node, config: Config) -> Iterator[Wrong]:
    """What hinders the start of `config`, which `root` was read as: two that listen on one port."""
    board = config.dashboard
    if board is None or board.port == 0:
        return
    for endpoint in config.gateway.listen:
        kind, given = arguments(endpoint)
        if kind not in ("tcp", "tcp6", "ssl") or int(given["port"]) != board.port:
            continue
        if _meet(given.get("interface", ""), board.host):
            expected = "a port of its own for the dashboard"
            yield Wrong(_place(root), expected, f"{board.port}, where the gateway listens")
            return


def _meet(one: str, other: str) -> bool:
    """Whether two hosts cannot have the same port: they are the same one, or either is all there are of its family."""
    if (":" in one) != (":" in other):
        return False
    return one == other or bool({one, other} & {"", "0.0.0.0", "::"})


def _place(root: Node) -> Node:
    """The dashboard's port, if the file says it, else the gateway's, which is then the default of the dashboard."""
    tables = root.entries if isinstance(root, Table) else {}
    for section, key in (("dashboard", "port"), ("gateway", "port"), ("gateway", "listen")):
        table = tables.get(section)
        if isinstance(table, Table) and key in table.entries:
            return table.entries[key]
    return Scalar(1, Table(1, None, ""), "dashboard", "")
