"""Foreign text inside our own lines."""


def printable(text: str, limit: int = 80) -> str:
    """`text` on one line: control and other unprintable characters escaped, the rest cut at `limit`."""
    short = text if len(text) <= limit else text[:limit] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
