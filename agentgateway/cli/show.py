"""What commands print: text without control characters, whoever sent it; money and numbers for people."""

import json
from typing import Any


def safe(value: object) -> str:
    """Text on one line: what is not printable, a terminal's control codes first of all, is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def as_json(value: Any, indent: int | None = 2) -> str:
    """JSON in plain ASCII."""
    return json.dumps(value, indent=indent)


def money(dollars: float | None) -> str:
    """Dollars with two decimals, more where there is less than a dollar of them; a dash for None."""
    if dollars is None:
        return "-"
    if not dollars or dollars >= 1:
        return f"${dollars:,.2f}"
    whole, _, rest = f"{dollars:.6f}".partition(".")
    return f"${whole}.{rest.rstrip('0'):0<2}" if float(f"{dollars:.6f}") else "<$0.000001"


def spent(dollars: float, cap: float | None) -> str:
    """What is spent, and of how much."""
    return money(dollars) if cap is None else f"{money(dollars)} / {money(cap)}"
