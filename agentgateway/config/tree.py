"""YAML text as a tree of nodes that know where they stand: text in, nodes out, nothing interpreted.

The tree is built from the C parser's events with a stack of our own, so depth costs no recursion and the limits bite
while the file is still being read. What a scalar means is left to the field it stands in (`scalars.py`): `no`, `12:30`
and `017` are just text here. Aliases and tags are refused: a configuration needs neither, attacks need both.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import yaml

from agentgateway.domain.text import printable

MAX_CHARACTERS = 5_000_000
MAX_NODES = 300_000
MAX_DEPTH = 16
MAX_KEY = 256


@attrs.define(eq=False)
class Node:
    """A place in the file: `line` (from 1) is that of its key where it has one; `key` is an index inside a list."""

    line: int
    parent: "Table | Items | None"
    key: str | int

    @property
    def path(self) -> str:
        """Dotted path from the root, as in `policies[0].action`; empty for the root."""
        parts: list[str] = []
        node: Node = self
        while node.parent is not None:
            parts.append(f"[{node.key}]" if isinstance(node.key, int) else f".{printable(node.key)}")
            node = node.parent
        return "".join(reversed(parts)).removeprefix(".")


@attrs.define(eq=False)
class Scalar(Node):
    """Text as written; `plain` where it stood without quotes."""

    text: str
    plain: bool = False

    @property
    def is_null(self) -> bool:
        """Whether nothing was written, or YAML's word for it."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@attrs.define(eq=False)
class Table(Node):
    """A mapping with text keys, each there once."""

    entries: dict[str, Node] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Items(Node):
    """A list."""

    items: list[Node] = attrs.field(factory=list)


@attrs.define(eq=False, slots=False)
class Wrong(Exception):
    """What a node should have been; `options` are the words it may have been meant for."""

    node: Node
    expected: str
    got: str
    word: str = ""
    options: Sequence[str] = ()


def read_tree(text: str) -> tuple[Node, list[Wrong]]:
    """The root node of one YAML document (a null scalar when empty), and the duplicate keys found on the way.

    Raises `Wrong` at the first thing that makes the rest unreadable: syntax, an alias, a tag, a size limit.
    """
    if len(text) > MAX_CHARACTERS:
        raise Wrong(_at(0), f"a file of at most {MAX_CHARACTERS} characters", "a larger one")
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark or error.context_mark, error.problem or error.context
        place = _at(mark.line + 1 if mark else 0)
        if problem and "nesting depth" in problem:  # the parser has a limit of its own
            raise _too_deep(place)
        tab = ": a tab? YAML wants spaces" if problem and "cannot start any token" in problem else ""
        raise Wrong(place, "YAML", f"a syntax error ({problem}{tab})")
    except yaml.reader.ReaderError as error:
        line = text.encode("utf-8", "replace").count(b"\n", 0, error.position) + 1
        raise Wrong(_at(line), "YAML in printable characters", "a control character")
    except UnicodeEncodeError as error:
        raise Wrong(_at(text.count("\n", 0, error.start) + 1), "YAML in printable characters", "half a character")
    return builder.root or Scalar(1, None, "", "", True), builder.wrong


def _at(line: int) -> Node:
    return Node(line, None, "")


def _too_deep(place: Node) -> Wrong:
    return Wrong(place, f"at most {MAX_DEPTH} levels", "deeper nesting")


@attrs.define
class _Builder:
    """Makes nodes out of parser events; `pending` is a key that waits for its value."""

    root: Node | None = None
    stack: list[Table | Items] = attrs.field(factory=list)
    pending: tuple[str, int] | None = None
    wrong: list[Wrong] = attrs.field(factory=list)
    nodes: int = 0

    def take(self, event: Any) -> None:
        """Fold one event into the tree; raises `Wrong` for what is refused."""
        if isinstance(event, yaml.NodeEvent):
            self._check(event)
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise Wrong(_at(_line(event)), "one YAML document", "a second one")

    def _check(self, event: Any) -> None:
        place = _at(_line(event))
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent):
            raise Wrong(place, "the value itself (aliases are not allowed here)", "an alias")
        if event.tag is not None:
            raise Wrong(place, "a value without a tag", "a tag")
        if self.nodes > MAX_NODES:
            raise Wrong(place, f"at most {MAX_NODES} values", "more")
        if len(self.stack) > MAX_DEPTH:
            raise _too_deep(place)

    def _node(self, event: Any) -> None:
        line = _line(event)
        parent = self.stack[-1] if self.stack else None
        key: str | int = ""
        if isinstance(parent, Table):
            if self.pending is None:
                self.pending = _key(event), line
                return
            key, line = self.pending
            self.pending = None
        elif parent is not None:
            key = len(parent.items)
        node = _make(event, line, parent, key)
        self._attach(node)
        if isinstance(node, Table | Items):
            self.stack.append(node)

    def _attach(self, node: Node) -> None:
        parent = node.parent
        if parent is None:
            self.root = node
        elif isinstance(parent, Items):
            parent.items.append(node)
        elif (first := parent.entries.setdefault(str(node.key), node)) is not node:
            self.wrong.append(Wrong(node, f"each key once (it is on line {first.line} already)", "a duplicate"))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _key(event: Any) -> str:
    place = _at(_line(event))
    if not isinstance(event, yaml.ScalarEvent):
        raise Wrong(place, "a key that is text", "a mapping or a list")
    if len(event.value) > MAX_KEY:
        raise Wrong(place, f"a key of at most {MAX_KEY} characters", "a longer one")
    return str(event.value)


def _make(event: Any, line: int, parent: Table | Items | None, key: str | int) -> Node:
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(line, parent, key, event.value, event.implicit[0])
    if isinstance(event, yaml.MappingStartEvent):
        return Table(line, parent, key)
    return Items(line, parent, key)
