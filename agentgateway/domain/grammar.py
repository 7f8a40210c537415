"""The grammar of the policy language: words to a checked tree that carries its own Python source.

    condition   = conjunction {"or" conjunction}        comparison = sum {operator sum}
    conjunction = negation {"and" negation}             sum        = product {("+" | "-") product}
    negation    = {"not"} comparison                    product    = factor {("*" | "/") factor}
    factor      = {"-"} (number | string | name | "true" | "false" | "(" condition ")")

with the operators ``< <= > >= == != in``, ``not in``, and after ``in`` also a list of literals, ``("active", "idle")``.
The precedence is Python's, so a part's source is its words again: validated names, `repr` of literals, fixed signs.
"""

import difflib
from collections.abc import Callable
from typing import Final, Literal, NoReturn

import attrs

from agentgateway.domain.lexicon import ALLOWED, MAX_DEPTH, MAX_NUMBER, NAMES, ExpressionError, Kind, Token, tokens_of

_COMPARISONS: Final = frozenset({"<", "<=", ">", ">=", "==", "!=", "in"})


@attrs.frozen
class Piece:
    """A checked part: its kind and its Python source. `join` and `parts` say how a condition is put together."""

    kind: Kind
    source: str
    column: int
    join: Literal["", "and", "or", "not"] = ""
    parts: tuple["Piece", ...] = ()
    bare: bool = False
    """A name alone, which may be None without an operator noticing."""


def parse(text: str) -> Piece:
    """The whole condition as a piece of kind `condition`. Raises ExpressionError."""
    return _Parser(tokens_of(text)).whole()


@attrs.define
class _Parser:
    """Recursive descent over the tokens; kinds are checked on the way, so that a mistake is found at start."""

    _tokens: list[Token]
    _at: int = 0
    _depth: int = 0

    def whole(self) -> Piece:
        """One condition and nothing after it."""
        piece = self._either()
        if self._here.kind != "end":
            self._fail(f"expected an operator or the end, got {self._here.text!r}: {ALLOWED}")
        return self._truth(piece, "a condition must compare something, as in 'error_rate > 0.5'")

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    def _fail(self, message: str, column: int | None = None) -> NoReturn:
        raise ExpressionError(message, self._here.column if column is None else column)

    def _accept(self, *signs: str) -> Token | None:
        token = self._here
        if token.kind != "sign" or token.text not in signs:
            return None
        self._at += 1
        return token

    def _deeper(self, parse: Callable[[], Piece]) -> Piece:
        if self._depth == MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH}")
        self._depth += 1
        piece = parse()
        self._depth -= 1
        return piece

    def _truth(self, piece: Piece, otherwise: str) -> Piece:
        if piece.kind != "condition":
            self._fail(f"{otherwise}; this is a {piece.kind}", piece.column)
        return piece

    def _either(self) -> Piece:
        return self._joined("or", self._both)

    def _both(self) -> Piece:
        return self._joined("and", self._negation)

    def _joined(self, word: Literal["and", "or"], parse: Callable[[], Piece]) -> Piece:
        parts = [parse()]
        while self._accept(word):
            parts.append(parse())
        if len(parts) == 1:
            return parts[0]
        for part in parts:
            self._truth(part, f"{word!r} joins comparisons")
        source = f" {word} ".join(part.source for part in parts)
        return Piece("condition", source, parts[0].column, word, tuple(parts))

    def _negation(self) -> Piece:
        sign = self._accept("not")
        if sign is None:
            return self._comparison()
        part = self._truth(self._deeper(self._negation), "'not' negates a comparison")
        return Piece("condition", f"not {part.source}", sign.column, "not", (part,))

    def _comparison(self) -> Piece:
        operands, signs = [self._sum()], list[str]()
        while sign := self._comparison_sign():
            column = self._tokens[self._at - 1].column
            operands.append(self._container() if sign.endswith("in") else self._sum())
            self._comparable(operands[-2], sign, operands[-1], column)
            signs.append(sign)
        if not signs:
            return operands[0]
        if not {"<", "<=", ">", ">="}.issuperset(signs):
            operands = [_present(operand) for operand in operands]
        source = operands[0].source
        for sign, operand in zip(signs, operands[1:], strict=True):
            source += f" {sign} {operand.source}"
        return Piece("condition", source, operands[0].column)

    def _comparison_sign(self) -> str | None:
        if self._here.text == "not" and self._tokens[self._at + 1].text == "in":
            self._at += 2
            return "not in"
        sign = self._accept(*_COMPARISONS)
        return sign.text if sign else None

    def _comparable(self, left: Piece, sign: str, right: Piece, column: int) -> None:
        if sign.endswith("in"):
            if left.kind == "string" and right.kind in ("string", "set of tags"):
                return
            if right.kind == "list" and right.parts[0].kind == left.kind:
                return
            self._fail(f"{sign!r} looks for a string in tags, in a string or in a list of its kind", column)
        if left.kind != right.kind or left.kind not in ("number", "string"):
            message = f"{sign!r} compares numbers with numbers or strings with strings"
            self._fail(f"{message}, got a {left.kind} and a {right.kind}", column)

    def _container(self) -> Piece:
        """What stands right of `in`: a list of literals, or any other operand."""
        after = self._tokens[self._at + 1 : self._at + 3]
        if self._here.text != "(" or len(after) < 2:
            return self._sum()
        if after[0].kind not in ("number", "string") or after[1].text not in (",", ")"):
            return self._sum()
        column, items = self._here.column, list[Piece]()
        while self._accept("(", ",") and self._here.text != ")":
            items.append(self._literal())
        if not self._accept(")"):
            self._fail("expected ',' or ')' after a literal of this list")
        if len({item.kind for item in items}) > 1:
            self._fail("a list has numbers only or strings only", column)
        source = ", ".join(item.source for item in items)
        return Piece("list", f"({source},)", column, parts=tuple(items))

    def _sum(self) -> Piece:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> Piece:
        return self._arithmetic(("*", "/"), self._factor)

    def _arithmetic(self, signs: tuple[str, str], parse: Callable[[], Piece]) -> Piece:
        left = parse()
        while sign := self._accept(*signs):
            right = parse()
            for side in (left, right):
                self._numeric(side, sign)
            left = Piece("number", f"{left.source} {sign.text} {right.source}", left.column)
        return left

    def _numeric(self, piece: Piece, sign: Token) -> None:
        if piece.kind != "number":
            self._fail(f"{sign.text!r} needs numbers, got a {piece.kind}", sign.column)

    def _factor(self) -> Piece:
        if sign := self._accept("-"):
            piece = self._deeper(self._factor)
            self._numeric(piece, sign)
            return Piece("number", f"-{piece.source}", sign.column)
        if opening := self._accept("("):
            piece = self._deeper(self._either)
            if not self._accept(")"):
                self._fail(f"expected ')' for the '(' of column {opening.column}, got {self._here.text or 'the end'!r}")
            return attrs.evolve(piece, source=f"({piece.source})", column=opening.column)
        return self._name() if self._here.kind == "name" else self._literal()

    def _name(self) -> Piece:
        token = self._here
        if token.text in ("true", "false"):
            self._at += 1
            return Piece("condition", token.text.capitalize(), token.column)
        if token.text not in NAMES:
            close = difflib.get_close_matches(token.text, [*NAMES, "true", "false"], 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {' '.join(NAMES)}"
            self._fail(f"unknown name {token.text[:40]!r}: {hint}")
        self._at += 1
        return Piece(NAMES[token.text], f"facts.{token.text}", token.column, bare=True)

    def _literal(self) -> Piece:
        token = self._here
        if token.kind == "string":
            self._at += 1
            return Piece("string", repr(token.text[1:-1]), token.column)
        if token.kind != "number":
            self._fail(f"expected a name, a number, a string or '(', got {token.text or 'the end'!r}")
        if len(token.text) > 40 or float(token.text) > MAX_NUMBER:
            self._fail(f"a number is at most {MAX_NUMBER:.0e}, written in 40 characters")
        self._at += 1
        return Piece("number", repr(int(token.text) if token.text.isdigit() else float(token.text)), token.column)


def _present(piece: Piece) -> Piece:
    """The same value, but one that raises where it is None: `==` and `in` would take None for an answer."""
    nothing = {"number": " + 0", "string": " + ''"}.get(piece.kind)
    return attrs.evolve(piece, source=piece.source + nothing) if piece.bare and nothing else piece
