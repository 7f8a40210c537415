"""The words of the policy language: what may stand in a condition, and the limits a hostile one meets first.

Everything is limited before anything is parsed, so that neither the parser nor Python's compiler can be driven deep.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import attrs

Kind = Literal["number", "string", "set of tags", "list", "condition"]

NAMES: Final[Mapping[str, Kind]] = {
    "error_rate": "number",
    "cost_this_hour": "number",
    "cost_today": "number",
    "total_cost": "number",
    "cost_per_minute": "number",
    "calls_this_hour": "number",
    "calls_per_minute": "number",
    "call_count": "number",
    "error_count": "number",
    "errors_this_hour": "number",
    "tokens_this_hour": "number",
    "input_tokens": "number",
    "output_tokens": "number",
    "in_flight": "number",
    "id": "string",
    "status": "string",
    "model": "string",
    "provider": "string",
    "tags": "set of tags",
}
"""What a condition may name: attributes read from the facts of one agent. Costs are dollars, rates 0 to 1."""

MAX_LENGTH: Final = 2000
MAX_TOKENS: Final = 250
MAX_DEPTH: Final = 32
MAX_NUMBER: Final = 10**15

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"[^"\\\x00-\x1f]*"|'[^'\\\x00-\x1f]*')
    | (?P<sign><=|>=|==|!=|[-<>+*/(),])""",
    re.VERBOSE,
)
_WORDS: Final = frozenset({"and", "or", "not", "in"})
ALLOWED: Final = "allowed are names, numbers, strings, < <= > >= == != in, and or not, + - * / and parentheses"


@attrs.define
class ExpressionError(ValueError):
    """A condition that is not in the language; `column` counts from 1."""

    message: str
    column: int

    def __str__(self) -> str:
        return f"column {self.column}: {self.message}"


@attrs.frozen
class Token:
    """One word: `kind` is number, name, string, sign (keywords too) or end; `column` counts from 1."""

    kind: str
    text: str
    column: int


def tokens_of(text: str) -> list[Token]:
    """The words of `text` and one `end` token. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"a condition has at most {MAX_LENGTH} characters", MAX_LENGTH + 1)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(_misfit(text, at), at + 1)
        kind, word = str(found.lastgroup), found.group()
        if kind != "space":
            tokens.append(Token("sign" if word in _WORDS else kind, word, at + 1))
        at = found.end()
    if len(tokens) > MAX_TOKENS:
        raise ExpressionError(f"a condition has at most {MAX_TOKENS} words and signs", tokens[MAX_TOKENS].column)
    return [*tokens, Token("end", "", len(text) + 1)]


def _misfit(text: str, at: int) -> str:
    if text[at] in "\"'":
        return "this string does not end, or contains a backslash or a control character"
    hint = {"=": "compare with ==", "&": "write 'and'", "|": "write 'or'", "!": "write 'not'"}.get(text[at], ALLOWED)
    return f"unexpected {text[at]!r}: {hint}"
