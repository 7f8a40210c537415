"""What a scalar means in the field it stands in: each function takes a node, returns a value or raises `Wrong`.

Reading goes by the field's type and never by YAML 1.1's guesses: `no` is a word where text stands and false where a
switch stands, `1_000` is a thousand, `017`, `12:30` and `.inf` are no numbers. Money never passes through a float.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from agentgateway.config.schema import Rate
from agentgateway.config.tree import Items, Node, Scalar, Table, Wrong
from agentgateway.domain.text import printable

T = TypeVar("T")

UNITS = {
    **dict.fromkeys(("s", "sec", "second"), 1),
    **dict.fromkeys(("min", "minute"), 60),
    **dict.fromkeys(("h", "hour"), 3600),
    **dict.fromkeys(("d", "day"), 86400),
}
NANOS = 10**9

_SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NUMBER_LIKE = re.compile(r"[-+]?(\.\d|\d)[\d_]*(\.\d*)?([eE][-+]?\d+)?|0[xo][0-9a-fA-F]+|[-+]?\.inf|\.nan", re.I)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,2}(_[0-9]{3})+|[1-9][0-9]*)")
_DECIMAL = re.compile(rf"{_WHOLE.pattern}(\.[0-9]+)?|\.[0-9]+")
_RATE = re.compile(r"([0-9]{1,15})/([a-z]+)")


def shown(node: Node) -> str:
    """What stands at `node`, for the end of an error line: text in quotes, numbers and switches as written."""
    if not isinstance(node, Scalar):
        return "a mapping" if isinstance(node, Table) else "a list"
    if node.is_null:
        return "nothing"
    bare = node.plain and (node.text.lower() in _SWITCH or _NUMBER_LIKE.fullmatch(node.text))
    return printable(node.text) if bare else f'"{printable(node.text)}"'


def text(node: Node, expected: str = "a string") -> str:
    """A non-empty line of printable text; a number or true/false must be quoted to count as text."""
    value = raw(node, expected)
    looks_typed = (
        isinstance(node, Scalar)
        and node.plain
        and (value.lower() in ("true", "false") or _NUMBER_LIKE.fullmatch(value))
    )
    if looks_typed:
        raise Wrong(node, f"{expected} (in quotes)", shown(node))
    if not value.isprintable():
        raise Wrong(node, "a string of printable characters", shown(node))
    return value


def raw(node: Node, expected: str) -> str:
    """The text of a scalar that is not empty, without the line end a block scalar adds."""
    if not isinstance(node, Scalar) or node.is_null or not node.text.rstrip("\n"):
        raise Wrong(node, expected, shown(node))
    return node.text.rstrip("\n")


def boolean(node: Node) -> bool:
    """true or false, also yes/no and on/off, unquoted."""
    word = node.text.lower() if isinstance(node, Scalar) and node.plain else ""
    if word not in _SWITCH:
        raise Wrong(node, "true or false", shown(node))
    return _SWITCH[word]


def whole(low: int, high: int = 10**15) -> Callable[[Node], int]:
    """A reader of whole numbers from `low` to `high`."""
    span = f"from {low} to {high}" if high < 10**15 else f"of {low} or more"

    def read(node: Node) -> int:
        value = _digits(node, _WHOLE)
        if value is None or not low <= int(value) <= high:
            raise Wrong(node, f"a whole number {span}", shown(node))
        return int(value)

    return read


def seconds(node: Node) -> float:
    """A positive number of seconds, at most about thirty years."""
    value = _digits(node, _DECIMAL)
    if value is None or not 0 < Decimal(value) <= 10**9:
        raise Wrong(node, "a number of seconds above 0", shown(node))
    return float(value)


def fraction(node: Node) -> float:
    """A share above 0, at most 1."""
    value = _digits(node, _DECIMAL)
    if value is None or not 0 < Decimal(value) <= 1:
        raise Wrong(node, "a fraction above 0, at most 1", shown(node))
    return float(value)


def dollars(node: Node) -> int:
    """Dollars as a number or a string of one, as nano-dollars, exactly."""
    value = _digits(node, _DECIMAL, quoted=True)
    if value is None or value.startswith("-"):
        raise Wrong(node, "dollars, 0 or more, such as 5.00", shown(node))
    units, _, cents = value.partition(".")
    if len(cents.rstrip("0")) > 9 or len(units) > 9:
        raise Wrong(node, "dollars below a billion with at most 9 decimal places", shown(node))
    return int(Decimal(value) * NANOS)


def rate(node: Node) -> Rate:
    """`<count>/<unit>`: s|sec|second, min|minute, h|hour, d|day."""
    match = _RATE.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is None or match[2] not in UNITS:
        raise Wrong(node, '"<count>/<unit>"', shown(node))
    if int(match[1]) == 0:
        raise Wrong(node, '"<count>/<unit>" with a count of 1 or more', shown(node))
    return Rate(int(match[1]), UNITS[match[2]])


def choice(node: Node, options: Sequence[str]) -> str:
    """One of a few words."""
    value = raw(node, either(options))
    if value not in options:
        raise Wrong(node, either(options), shown(node), value, options)
    return value


def each(node: Node, read: Callable[[Node], T], expected: str) -> tuple[T, ...]:
    """A list, every item read by `read`; all that is wrong is raised together in an ExceptionGroup."""
    if not isinstance(node, Items):
        raise Wrong(node, expected, shown(node))
    found: list[T] = []
    problems: list[Exception] = []
    for item in node.items:
        attempt(problems, lambda: found.append(read(item)))  # noqa: B023 - called at once
    raise_all(problems)
    return tuple(found)


def attempt(problems: list[Exception], action: Callable[[], T]) -> T | None:
    """What `action` returns, or None with what it found wrong added to `problems`."""
    try:
        return action()
    except (Wrong, ExceptionGroup) as error:
        problems.append(error)
        return None


def raise_all(problems: list[Exception]) -> None:
    """Raise `problems` as one group, if there are any."""
    if problems:
        raise ExceptionGroup("mistakes", problems)


def _digits(node: Node, pattern: re.Pattern[str], quoted: bool = False) -> str | None:
    if not isinstance(node, Scalar) or not (node.plain or quoted) or len(node.text) > 40:
        return None
    return node.text.replace("_", "") if pattern.fullmatch(node.text) else None


def either(options: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join((", ".join(options[:-1]), options[-1]) if len(options) > 1 else options)
