"""What a query string asks of the audit log, checked: every mistake is told, nothing is guessed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, get_args

import attrs

from agentgateway.domain.exchange import Outcome
from agentgateway.domain.logquery import MAX_LIMIT, LogQuery
from agentgateway.domain.text import printable
from agentgateway.web.management.formats import Format
from agentgateway.web.management.problems import Problem

NAMES: Final = ("agent", "since", "until", "status", "outcome", "limit", "format", "follow")
_LAST: Final = 253_402_300_799  # the end of the year 9999


@attrs.frozen
class Question:
    """A query, and how its answer is wanted."""

    query: LogQuery
    format: Format
    follow: bool


def question(args: Mapping[bytes, Sequence[bytes]]) -> Question:
    """The question in a request's arguments. Raises Problem (400)."""
    given = {_text(name): [_text(value) for value in values] for name, values in args.items()}
    for name, values in given.items():
        if name not in NAMES:
            raise _wrong(name, f"a parameter among {', '.join(NAMES)}", name)
        if len(values) != 1:
            raise _wrong(name, "to stand once", f"{len(values)} times")
    said = {name: values[0] for name, values in given.items()}
    follow = _among("follow", said.get("follow", "false"), ("true", "false")) == "true"
    format: Format = _among("format", said.get("format", "json"), get_args(Format))  # type: ignore[assignment]
    query = LogQuery(
        limit=_whole("limit", said.get("limit", "100"), 0, MAX_LIMIT),
        agent=said.get("agent"),
        status=_whole("status", said["status"], 100, 599) if "status" in said else None,
        outcome=_among("outcome", said["outcome"], get_args(Outcome)) if "outcome" in said else None,
        since=_time("since", said["since"]) if "since" in said else None,
        until=_time("until", said["until"]) if "until" in said else None,
    )
    # A stream of records has no closing bracket: followed, JSON is one object a line.
    return Question(query, "jsonl" if follow and format == "json" else format, follow)


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "bad_request", "the query is not UTF-8")


def _among(name: str, value: str, options: Sequence[str]) -> str:
    if value not in options:
        raise _wrong(name, f"one of {', '.join(options)}", value)
    return value


def _whole(name: str, value: str, low: int, high: int) -> int:
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else -1
    if not low <= number <= high:
        raise _wrong(name, f"a whole number from {low} to {high}", value)
    return number


def _time(name: str, value: str) -> float:
    """ISO-8601 (UTC where it names no zone) or seconds since the epoch, as epoch seconds."""
    try:
        seconds = float(value) if value[:1].isdigit() and value.replace(".", "", 1).isdigit() else _iso(value)
    except (ValueError, OverflowError):
        seconds = float("inf")
    if seconds > _LAST:
        raise _wrong(name, "a time such as 2026-11-23T15:00:00Z, or seconds since the epoch", value)
    return max(0.0, seconds)


def _iso(value: str) -> float:
    # A "+" that was not escaped in a URL arrives as a space.
    at = datetime.fromisoformat(value.replace(" ", "+") if value.count(" ") == 1 and "T" in value else value)
    return min(_LAST, (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())


def _wrong(name: str, expected: str, got: str) -> Problem:
    return Problem(400, "bad_request", f'{printable(name)}: expected {expected}, got "{printable(got)}"')
