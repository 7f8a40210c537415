"""The errors this package raises on purpose: fields for the edge to act on, text for people to read."""

from collections.abc import Iterable

import attrs


class GatewayError(Exception):
    """Base of the gateway's own errors; `exit_status` is what a command that fails with it exits with."""

    exit_status = 1


@attrs.frozen
class Mistake:
    """One thing wrong in a configuration file; `line` counts from 1, 0 means the file as a whole."""

    file: str
    line: int
    path: str
    """Dotted, as in `agents.writer.rate_limit` or `policies[0].action`; empty for the whole file."""
    expected: str
    got: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        path = f" {self.path}:" if self.path else ""
        return f"{where}:{path} expected {self.expected}, got {self.got}"


class ConfigError(GatewayError):
    """A configuration that cannot be used; `mistakes` are all that were found, in the file's order."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))
