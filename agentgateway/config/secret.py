"""Secrets: `env:NAME`, `file:PATH` or the text itself. No error raised here ever carries a value."""

import hashlib
import os
import re
import stat
from collections.abc import Mapping

import attrs

from agentgateway.config.scalars import raw, shown
from agentgateway.config.schema import Secret
from agentgateway.config.tree import Node, Scalar, Wrong
from agentgateway.domain.text import printable

MAX_FILE_BYTES = 1_048_576

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


@attrs.define
class SecretReader:
    """Resolves the secrets of one file; remembers gateway keys, because two agents must not share one."""

    environ: Mapping[str, str]
    owners: dict[bytes, Node] = attrs.field(factory=dict)

    def secret(self, node: Node) -> Secret:
        """The secret at `node`: one line of printable ASCII, as it must fit into a header."""
        value, source = self._resolve(node)
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            raise Wrong(node, "a secret that is one line of printable ASCII", "other characters")
        return Secret(value, source)

    def key(self, node: Node) -> bytes:
        """SHA-256 digest of the gateway key at `node`, which no other agent may have."""
        value = self.secret(node).value
        digest = hashlib.sha256(value.encode()).digest()
        if value.startswith("sha256:"):
            if _DIGEST.fullmatch(value[7:]) is None:
                raise Wrong(node, '"sha256:" and 64 hexadecimal digits', "something else after sha256:")
            digest = bytes.fromhex(value[7:])
        owner = self.owners.setdefault(digest, node)
        if owner is not node:
            raise Wrong(node, "a key of its own", f"the same as {owner.path} on line {owner.line}")
        return digest

    def _resolve(self, node: Node) -> tuple[str, str]:
        if not isinstance(node, Scalar) or node.is_null or not node.text:
            raise Wrong(node, "a secret (env:NAME, file:PATH or the text itself)", shown(node))
        text = raw(node, "a secret")
        if text.startswith("env:"):
            return self._variable(node, text[4:]), text
        if text.startswith("file:"):
            return _first_line(node, text[5:]), text
        return text, "file"

    def _variable(self, node: Node, name: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise Wrong(node, "the name of an environment variable after env:", "something else")
        value = self.environ.get(name, "")
        if not value:
            raise Wrong(node, f"the environment variable {name} to be set", "nothing")
        return value


def read_small(node: Node, path: str) -> str:
    """The text of the file at `path`; raises `Wrong` at `node` when it is no readable, regular, small text file."""
    expected = f"a readable file at {printable(path)}"
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise Wrong(node, expected, "no regular file")
            data = stream.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise Wrong(node, expected, "a file of more than a megabyte")
        return data.decode()
    except (OSError, ValueError) as error:
        raise Wrong(node, expected, getattr(error, "strerror", None) or "no text")


def _without_waiting(path: str, flags: int) -> int:
    """Opening a pipe nobody writes to would wait for ever."""
    return os.open(path, flags | os.O_NONBLOCK)


def _first_line(node: Node, path: str) -> str:
    value = read_small(node, path).removesuffix("\n").removesuffix("\r")
    if not value:
        raise Wrong(node, f"a secret in {printable(path)}", "an empty file")
    return value
