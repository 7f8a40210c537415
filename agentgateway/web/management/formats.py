"""Audit records as people and programs want them: a JSON array, a JSON object a line, or CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from agentgateway.domain.audit import AuditRecord

Format = Literal["json", "jsonl", "csv"]

CONTENT_TYPES: Final[dict[Format, bytes]] = {
    "json": b"application/json",
    "jsonl": b"application/x-ndjson",
    "csv": b"text/csv; charset=utf-8",
}
COLUMNS: Final = AuditRecord.__struct_fields__
HEADER: Final = (",".join(COLUMNS) + "\r\n").encode()

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def page(lines: Iterable[bytes], format: Format) -> bytes:
    """Records (JSON, one each) as a whole answer."""
    if format == "json":
        return b"[" + b",\n".join(lines) + b"]"
    return (HEADER if format == "csv" else b"") + b"".join(one(line, format) for line in lines)


def one(line: bytes, format: Format) -> bytes:
    """One record (JSON) as a line of `jsonl` or a row of `csv`."""
    return _row(msgspec.json.decode(line)) if format == "csv" else line + b"\n"


def _row(record: dict[str, Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([_cell(record.get(column)) for column in COLUMNS])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front, which it does not show."""
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
