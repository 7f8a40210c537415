"""From gateway.yaml to a `Config`: all of it, or every mistake in it at once."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

import attrs

from agentgateway.config.clashes import clashes
from agentgateway.config.fields import dialects, is_null
from agentgateway.config.schema import Config
from agentgateway.config.secret import SecretReader
from agentgateway.config.structure import Structure
from agentgateway.config.tree import MAX_CHARACTERS, Node, Table, Wrong, read_tree
from agentgateway.errors import ConfigError, Mistake

MAX_SUGGESTIONS = 100
"""Looking for the nearest word is slow; past this many mistakes nobody reads the suggestions."""

SIMILAR = 0.65
"""How much alike two words are, of 1, for one to have been meant by the other."""


def load(path: str, environ: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`. Raises `ConfigError`, also when the file cannot be read."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(4 * MAX_CHARACTERS + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Mistake(path, line, "", "text in UTF-8", "other bytes")])
    except (OSError, ValueError) as error:
        raise ConfigError([Mistake(path, 0, "", "a readable file", getattr(error, "strerror", None) or str(error))])
    return parse(text, path, environ)


def parse(text: str, path: str, environ: Mapping[str, str]) -> Config:
    """The configuration in `text`, which `path` is only a name for.

    `environ` answers `env:NAME` and, as `STATE_DIRECTORY`, where state goes when the text is silent. Files are read
    only where a secret says `file:PATH` (relative to the working directory) or a provider has a `ca_file`.
    Raises `ConfigError` with all mistakes in the order of their lines.
    """
    try:
        root, problems = read_tree(text)
    except Wrong as wrong:
        raise ConfigError(_mistakes([wrong], path))
    state_dir = environ.get("STATE_DIRECTORY", "").partition(":")[0] or None
    try:
        config = Structure(SecretReader(environ), dialects(root), state_dir).config(root)
    except (Wrong, ExceptionGroup) as error:
        raise ConfigError(_mistakes([*problems, *_leaves(error)], path))
    problems += clashes(root, config)
    if problems:
        raise ConfigError(_mistakes(problems, path))
    state = config.gateway.state_dir.rstrip("/")
    if config.shared is not None or not _has(root, "store"):
        config = attrs.evolve(config, store=f"sqlite:{state}/ledger.sqlite")
    if config.shared is not None and config.audit.log_file is None:  # what others see is loaded from it
        config = attrs.evolve(config, audit=attrs.evolve(config.audit, log_file=f"{state}/audit.jsonl"))
    return attrs.evolve(config, path=path)


def _has(root: Node, key: str) -> bool:
    return isinstance(root, Table) and key in root.entries and not is_null(root.entries[key])


def _leaves(error: Exception) -> Iterator[Wrong]:
    """The findings in nested groups; anything else in them is a bug here, not in the file, and is raised."""
    waiting: list[Exception] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Wrong):
            yield current
        elif isinstance(current, ExceptionGroup):
            waiting.extend(reversed(current.exceptions))
        else:
            raise current


def _mistakes(problems: Iterable[Wrong], file: str) -> Iterator[Mistake]:
    for index, wrong in enumerate(sorted(problems, key=lambda wrong: wrong.node.line)):
        near = difflib.get_close_matches(wrong.word, wrong.options, 1, SIMILAR) if index < MAX_SUGGESTIONS else []
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        yield Mistake(file, wrong.node.line, wrong.node.path, wrong.expected + hint, wrong.got)
