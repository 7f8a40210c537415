"""Pages of the audit log: out of memory while it reaches far enough, else joined with what the store's index has."""

from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Final

import msgspec

from agentgateway.domain.audit import AuditRecord, encode, iso
from agentgateway.domain.logquery import LogQuery
from agentgateway.interfaces import StoreError
from agentgateway.web.live import Live
from agentgateway.web.management.formats import Format, one, page
from agentgateway.web.management.problems import Problem

SLICE: Final = 2_000
"""Records looked at before others have their turn: a few milliseconds."""
ROWS: Final = 250
"""Rows written at once: about as long."""

Rest = Callable[[], Awaitable[None]]
"""Lets the reactor do other things."""


async def records(live: Live, query: LogQuery, rest: Rest) -> list[bytes]:
    """The records asked for as JSON, oldest first. Raises Problem (503) where the store cannot tell."""
    lines = await recent(live, query, rest)
    enough = len(lines) >= query.count and not _former(live, lines)
    if enough and live.config.shared is None:  # else others have records too, which are not in this memory
        return lines
    try:
        stored = await live.store.logs(query)
    except StoreError as error:
        if enough:
            return lines
        raise Problem(503, "unavailable", str(error), fields=((b"Retry-After", b"1"),))
    return joined((stored, lines), query.count)


def _former(live: Live, lines: list[bytes]) -> bool:
    """Whether the oldest is of an earlier process: what that one could not write into its log, the store alone knows."""
    return bool(lines) and _key(lines[0]).ts < iso(live.started.wall)


async def recent(live: Live, query: LogQuery, rest: Rest) -> list[bytes]:
    """Of the records asked for those that are in memory."""
    return [encode(record) for record in await _recent(live, query, rest)]


async def written(lines: list[bytes], format: Format, rest: Rest) -> bytes:
    """Records as a whole answer; rows of CSV, which cost the most, a slice at a time."""
    if format != "csv":
        return page(lines, format)
    parts = [page((), format)]
    for start in range(0, len(lines), ROWS):
        if start:
            await rest()
        parts += [one(line, format) for line in lines[start : start + ROWS]]
    return b"".join(parts)


async def _recent(live: Live, query: LogQuery, rest: Rest) -> list[AuditRecord]:
    """Those of the memory's tail, by time, as many as are asked for."""
    wanted = matcher(query)
    tail, found = list(live.tail)[::-1], list[AuditRecord]()
    for start in range(0, len(tail), SLICE):
        if start:
            await rest()
        found += islice(filter(wanted, tail[start : start + SLICE]), query.count - len(found))
        if len(found) >= query.count:
            break
    found.reverse()  # records of one instant stay in the order in which their calls ended
    return sorted(found, key=lambda record: record.ts)


def matcher(query: LogQuery) -> Callable[[AuditRecord], bool]:
    """`query.matches`, for many records: times are compared as the text they are written in."""
    since = "" if query.since is None else iso(query.since)
    until = "~" if query.until is None else iso(query.until)
    agent = query.agent

    def wanted(record: AuditRecord) -> bool:
        mine = agent is None or agent == record.agent
        return mine and query.wants(record.status, record.outcome) and since <= record.ts < until

    return wanted


class Key(msgspec.Struct):
    """What of a stored record is needed to put it in its place."""

    id: str
    ts: str


_key = msgspec.json.Decoder(Key).decode


def joined(pages: Iterable[list[bytes]], count: int) -> list[bytes]:
    """All in order of time, each record once: what is in memory may not be in the store yet, or already."""
    found: dict[str, tuple[str, bytes]] = {}
    for lines in pages:
        for key, line in zip(map(_key, lines), lines, strict=True):
            found.setdefault(key.id, (key.ts, line))
    every = sorted(found.values(), key=lambda pair: pair[0])
    return [line for _, line in every[max(0, len(every) - count) :]]
