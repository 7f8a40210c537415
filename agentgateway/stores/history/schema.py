"""The tables in PostgreSQL: made and brought up to date by whoever comes first, one partition a month. Everything blocks.

All is in a schema of its own, ``agentgateway``. Months are those of UTC. What changes tables holds one lock meanwhile, so
that processes that start together, or meet in a new month, do it once.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import Connection, sql

from agentgateway.interfaces import StoreError

Month = tuple[int, int]
"""Year, and month from 1."""
Row = tuple[Any, ...]
SCHEMA: Final = "agentgateway"
LOCK: Final = 0x41677779
"""The advisory lock of changes to tables."""

MIGRATIONS: Final = (
    """
    CREATE TABLE kinds (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, status integer NOT NULL, outcome text NOT NULL,
        UNIQUE (status, outcome)
    );
    CREATE SEQUENCE places;
    CREATE TABLE audit (
        id text NOT NULL, ts timestamptz NOT NULL, place bigint NOT NULL DEFAULT nextval('places'), agent text,
        kind integer NOT NULL, line text NOT NULL, PRIMARY KEY (id, ts)
    ) PARTITION BY RANGE (ts);
    CREATE INDEX audit_by_kind ON audit (kind, ts, place);
    CREATE INDEX audit_by_agent ON audit (agent, kind, ts, place);
    CREATE TABLE logs (
        name text PRIMARY KEY, position bigint NOT NULL, ended boolean NOT NULL DEFAULT false, seen timestamptz NOT NULL
    );
    CREATE TABLE points (
        process text, key text, span integer, at bigint, cost bigint NOT NULL, calls bigint NOT NULL,
        errors bigint NOT NULL, refused bigint NOT NULL, input_tokens bigint NOT NULL, output_tokens bigint NOT NULL,
        p50_ms real NOT NULL, p95_ms real NOT NULL, ttfb_p50_ms real NOT NULL, ttfb_p95_ms real NOT NULL,
        PRIMARY KEY (key, span, at, process)
    );
    CREATE INDEX points_by_time ON points (at);
    """,
)
"""What makes version N+1 of version N. `kinds` are the ways calls ended: see `queries`. `logs` says how far each log file
is loaded, in bytes; `place` is the order in which records came."""

_FIND: Final = """
    SELECT relname FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
    WHERE nspname = %s AND relname = ANY(%s)
"""
_SETTINGS: Final = {
    "search_path": SCHEMA,
    "timezone": "UTC",
    "lock_timeout": "5s",
    "client_min_messages": "warning",
    # a server that crashes may forget what it did last, as it then also forgets that it did: it is done again
    "synchronous_commit": "off",
}


def prepare(connection: Connection[Row], patience: float) -> None:
    """Make a new connection fit for use, and the tables those of today; `patience` is the most a statement may take, in
    seconds. Raises StoreError for tables of a newer version, and psycopg.Error."""
    settings = _SETTINGS | {"statement_timeout": f"{patience:.0f}s"}
    several = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting (name, value)"
    connection.execute(several, (list(settings), list(settings.values())))
    _upgrade(connection)
    connection.commit()


def _upgrade(connection: Connection[Row]) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise StoreError(f"written by a newer agentgateway: version {version} of its tables, here {len(MIGRATIONS)}")
    if not version:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute("CREATE TABLE version (number integer NOT NULL)")
        connection.execute("INSERT INTO version VALUES (0)")
    for migration in MIGRATIONS[version:]:
        connection.execute(migration)
    connection.execute("UPDATE version SET number = %s", (len(MIGRATIONS),))


def _version(connection: Connection[Row]) -> int:
    """Of the tables there are; 0: none."""
    if not _existing(connection, ["version"]):
        return 0
    (number,) = connection.execute("SELECT number FROM version").fetchone() or (0,)
    return int(number)


def month_of(moment: datetime) -> Month:
    """The month of an aware time."""
    moment = moment.astimezone(UTC)
    return moment.year, moment.month


def add_months(connection: Connection[Row], months: Iterable[Month]) -> None:
    """See that there are partitions for these; inside the caller's transaction."""
    names = {_partition(month): month for month in months}
    if names.keys() <= _existing(connection, names):
        return
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    for name in sorted(names.keys() - _existing(connection, names)):
        # a table made apart and then attached locks out neither readers nor writers of the others
        what = {"name": sql.Identifier(name), "start": _start(names[name]), "end": _start(_later(names[name], 1))}
        connection.execute(sql.SQL("CREATE TABLE {name} (LIKE audit INCLUDING DEFAULTS)").format(**what))
        attach = "ALTER TABLE audit ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"
        connection.execute(sql.SQL(attach).format(**what))


def _existing(connection: Connection[Row], names: Iterable[str]) -> set[str]:
    """Those of our tables that there are by now; `to_regclass` would go by what it knew before it waited for the lock."""
    return {name for (name,) in connection.execute(_FIND, (SCHEMA, list(names)))}


def drop_months(connection: Connection[Row], before: Month) -> None:
    """Drop the partitions of months before this one; inside the caller's transaction."""
    names = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit'::regclass"
    for (name,) in connection.execute(names).fetchall():
        if name < _partition(before):
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))


def oldest_kept(now: datetime, months: int) -> Month:
    """The first month that is kept where `months` whole ones are, besides the current one."""
    return _later(month_of(now), -months)


def _later(month: Month, count: int) -> Month:
    years, index = divmod(month[0] * 12 + month[1] - 1 + count, 12)
    return years, index + 1


def _partition(month: Month) -> str:
    return "audit_{:04}_{:02}".format(*month)


def _start(month: Month) -> sql.Literal:
    return sql.Literal("{:04}-{:02}-01 00:00:00+00".format(*month))
