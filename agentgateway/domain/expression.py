"""Policy conditions: a small closed language, parsed once and compiled to a Python function.

`grammar.py` says what the language is. There is no call, attribute or subscript in it, nothing that loops and nothing
that grows: only numbers can be added or multiplied, and length, nesting and magnitude are limited beforehand. What it
accepts is rendered as Python source from validated names, literals and fixed signs only, and compiled.

A missing value (None) or a division by zero makes its comparison *unknown*: ``unknown or true`` is true, ``not
unknown`` is unknown, and a condition unknown in the end is false. The compiled function knows nothing of this; it
raises, and only then is the condition worked out comparison by comparison.
"""

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Final

import attrs

from agentgateway.domain.grammar import Piece, parse
from agentgateway.domain.lexicon import NAMES, ExpressionError

__all__ = ["NAMES", "Condition", "ExpressionError", "compile_condition", "none_holds_of"]

_UNKNOWN: Final = (TypeError, ZeroDivisionError, OverflowError, AttributeError)


@attrs.frozen
class Condition:
    """A compiled condition. Calling it with facts (an object with the attributes of `NAMES`) never raises."""

    text: str
    names: frozenset[str] = attrs.field(eq=False)
    """The attributes it reads."""
    source: str = attrs.field(eq=False, repr=False)
    """The same in Python, over `facts`."""
    _run: FunctionType = attrs.field(eq=False, repr=False)
    _tree: "_Tree" = attrs.field(eq=False, repr=False)

    def __call__(self, facts: object) -> bool:
        """Whether the condition holds; missing values and divisions by zero are false."""
        try:
            return self._run(facts) is True
        except _UNKNOWN:
            return self._tree.value(facts) is True


@attrs.frozen
class _Tree:
    """The same condition, one comparison at a time: for facts that lack something."""

    join: str
    parts: tuple["_Tree", ...]
    run: FunctionType | None

    def value(self, facts: object) -> bool | None:
        """True, False or None for unknown (Kleene's logic)."""
        if self.run is not None:
            try:
                return bool(self.run(facts))
            except _UNKNOWN:
                return None
        values = [part.value(facts) for part in self.parts]
        if self.join == "not":
            return None if values[0] is None else not values[0]
        decisive = self.join == "or"
        if decisive in values:
            return decisive
        return None if None in values else not decisive


def compile_condition(text: str) -> Condition:
    """The condition that `text` says. Raises ExpressionError naming what is wrong, where, and what is allowed."""
    piece = parse(text)
    run = _function(piece.source)
    return Condition(text, frozenset(run.__code__.co_names), piece.source, run, _tree(piece))


@lru_cache(256)
def none_holds_of(sources: tuple[str, ...]) -> Callable[[object], bool]:
    """A function that says of facts whether none of these conditions holds; False may also mean that each has to be asked.

    All in one: asking each condition by itself costs more than the conditions do. `sources` are of compiled conditions.
    """
    run = _function(" or ".join(f"({source})" for source in sources) or "False")

    def none_holds(facts: object) -> bool:
        try:
            return run(facts) is False
        except _UNKNOWN:
            return False

    return none_holds


def _function(source: str) -> FunctionType:
    function: FunctionType = eval(compile(f"lambda facts: {source}", "<condition>", "eval"), {"__builtins__": {}})
    return function


def _tree(piece: Piece) -> _Tree:
    run = None if piece.join else _function(piece.source)
    return _Tree(piece.join, tuple(_tree(part) for part in piece.parts), run)
