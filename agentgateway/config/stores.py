"""Where the books are kept, and how many processes may share them.

`store` is a text (a store of this process's own) or a mapping (Redis and PostgreSQL, shared by all processes that name
the same ones). Both URLs are secrets, as they hold passwords: nothing here shows them.
"""

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

import attrs

from agentgateway.config.fields import is_null
from agentgateway.config.scalars import NANOS, dollars, raw, shown, text, whole
from agentgateway.config.schema import Secret
from agentgateway.config.secret import SecretReader
from agentgateway.config.tree import Node, Scalar, Table, Wrong
from agentgateway.domain.lease import LARGEST_CAP

MAX_WORKERS: Final = 256

_LIVE = "a URL such as redis://127.0.0.1:6379"
_HISTORY = "a URL such as postgresql://user@127.0.0.1/agentgateway"
_workers = whole(1, MAX_WORKERS)


def store(node: Node) -> str:
    """`memory:` or `sqlite:PATH`; empty where a mapping stands, whose processes keep their own books by `state_dir`."""
    if isinstance(node, Table):
        return ""
    value = text(node)
    if value != "memory:" and not (value.startswith("sqlite:") and value != "sqlite:"):
        raise Wrong(node, '"memory:", "sqlite:PATH" or a mapping of live and history', shown(node))
    return value


def shared_of(root: Node) -> Table | None:
    """The mapping under `store` of a file's root, if it is one."""
    found = root.entries.get("store") if isinstance(root, Table) else None
    return found if isinstance(found, Table) else None


def workers(node: Node) -> int:
    """How many processes serve calls: a number, or `auto` for the processors this one may use.

    More than one needs a store that they share: each would count for itself, and a cap would hold that many times over.
    """
    auto = isinstance(node, Scalar) and node.text == "auto"
    try:
        count = min(len(os.sched_getaffinity(0)), MAX_WORKERS) if auto else _workers(node)
    except Wrong as wrong:
        raise Wrong(node, f"auto, or {wrong.expected}", wrong.got)
    if count > 1 and (not isinstance(node.parent, Table) or shared_of(node.parent) is None):
        raise Wrong(node, "1, or a mapping of live and history under store", f"{count} and a store for one process")
    return count


def cap(node: Node) -> int:
    """A cap in dollars, as nano-dollars; with a shared store no more than what that counts exactly."""
    value = dollars(node)
    if value > LARGEST_CAP and shared_of(_root(node)) is not None:
        raise Wrong(node, f"at most {LARGEST_CAP // NANOS:,} dollars with a shared store", shown(node))
    return value


@attrs.frozen
class UrlReader:
    """Reads the URLs of shared stores; `installed` says of a module whether it is there."""

    secrets: SecretReader
    installed: Callable[[str], bool] = attrs.field(default=lambda name: find_spec(name) is not None)

    def live(self, node: Node) -> Secret:
        """`redis://[:password@]host[:port][/db]`."""
        secret = self._secret(node, _LIVE, "txredisapi")
        try:
            parts = urlsplit(secret.value)
            port, database = parts.port, parts.path.removeprefix("/")
        except ValueError:
            port, parts, database = None, urlsplit(""), ""
        fine = parts.scheme == "redis" and parts.hostname and port != 0 and not parts.query and not parts.fragment
        if not fine or (database and not (database.isdecimal() and database.isascii())):
            raise Wrong(node, _LIVE, "something else")
        return secret

    def history(self, node: Node) -> Secret:
        """A connection URI of PostgreSQL (its manual, section 34.1.1.2)."""
        secret = self._secret(node, _HISTORY, "psycopg")
        if not secret.value.startswith(("postgresql://", "postgres://")) or not _reachable(secret.value):
            raise Wrong(node, _HISTORY, "something else")
        return secret

    def _secret(self, node: Node, expected: str, module: str) -> Secret:
        if is_null(node):
            raise Wrong(node, expected, "nothing")
        if not self.installed(module):
            package = "twisted-agentgateway[shared]; in a checkout, .venv/bin/pip install -e '.[shared]'"
            raise Wrong(node, f'the extra "shared" for it ({package})', "an installation without it")
        raw(node, expected)
        return self.secrets.secret(node)


def _reachable(uri: str) -> bool:
    """Whether PostgreSQL's own library takes it, and its ports are such; a password's unescaped "@" ends up in the host."""
    from psycopg import Error  # comes with the extra alone
    from psycopg.conninfo import conninfo_to_dict

    try:
        said = conninfo_to_dict(uri)
    except Error:
        return False
    ports = str(said.get("port") or "").split(",")
    fine = all(not port or (port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65535) for port in ports)
    return fine and "@" not in str(said.get("host"))


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node
