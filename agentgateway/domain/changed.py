"""What a reload changed, in words: one set of them for the log and for the command line."""

from collections.abc import Callable, Mapping
from typing import Any, Final

_LISTS: Final = {
    "gateway": "changed: ",
    "needs_restart": "in force after a restart only: ",
    "kept_caps": "caps as an operator set them, not as the file has them (agentgateway budget AGENT --file): ",
}
"""What stands before the names in lists; tables say what was added, changed and removed."""


def in_words(changed: Mapping[str, Any], mark: str = "", safe: Callable[[str], str] = str) -> list[str]:
    """A line for each change of `config.changes`, none where nothing changed; `safe` makes what the file says fit to print."""
    tables = [(table, found) for table, found in changed.items() if isinstance(found, Mapping)]
    told = [(f"{safe(table)} {safe(how)}{mark} ", names) for table, found in tables for how, names in found.items()]
    told += [(words, changed.get(key, ())) for key, words in _LISTS.items()]
    return [words + ", ".join(map(safe, names)) for words, names in told if names]
