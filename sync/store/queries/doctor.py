"""Facts about a database and its inventory for `image-sync doctor`: read only, within seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from psycopg.rows import class_row

from sync.store.connection import Connection, Target, transaction
from sync.store.schema import migrate
from sync.store.schema.roles import NEEDED, READ_BY_VIEWERS

T = TypeVar("T")
_STATEMENT_TIMEOUT = 5.0  # seconds
_LOCK_TIMEOUT = 2.0  # seconds

_ABOUT = """
SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_version') AS version,
       current_setting('server_encoding') AS encoding, current_database() AS database, current_user AS role,
       pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only')::boolean AS read_only,
       pg_database_size(current_database()) AS bytes,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       has_database_privilege(current_database(), 'TEMP') AS may_stage,
       coalesce(has_schema_privilege(to_regnamespace('inventory'), 'USAGE'), false) AS may_enter,
       (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl) AS tls
"""
# Of other users' sessions everyone may see only the database and the user.
_CONNECTIONS = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0) - count(*) AS server,
       CASE WHEN r.rolconnlimit >= 0 THEN r.rolconnlimit - count(*) FILTER (WHERE a.usesysid = r.oid) END AS role,
       CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit - count(*) FILTER (WHERE a.datid = d.oid) END AS database
FROM pg_roles r, pg_database d, pg_stat_activity a
WHERE r.rolname = session_user AND d.datname = current_database() AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL
GROUP BY r.rolconnlimit, d.datconnlimit
"""
_TIMEOUTS = """
SELECT name, setting::bigint / 1000.0 AS seconds FROM pg_settings
WHERE name = 'idle_session_timeout'
  AND setting::bigint > 0 ORDER BY name
"""
_RIGHTS = """
SELECT needed.name, needed.privilege, c.oid IS NOT NULL AS there,
       coalesce(has_table_privilege(c.oid, needed.privilege), false) AS granted
FROM unnest(%(names)s::text[], %(privileges)s::text[]) AS needed (name, privilege)
LEFT JOIN pg_class c ON c.relnamespace = to_regnamespace('inventory') AND c.relname = needed.name
"""
# The usual interval between two runs is the median of the last twenty.
_SOURCES = """
SELECT s.name, s.api, s.filter, extract(epoch FROM clock_timestamp() - s.proven_at)::float8 AS proven_ago, last.run,
       last.status, last.reason,
       coalesce(extract(epoch FROM greatest(last.started_at, s.effective_at) - clock_timestamp()), 0)::float8
           AS in_future, usual.seconds AS usual, held.count AS held, coalesce(held.runs, '{}') AS held_by,
       s.epoch > 0 AS committed
FROM inventory.sources s
LEFT JOIN LATERAL (
    SELECT run, status, reason, started_at FROM inventory.runs WHERE source = s.name AND status <> 'skipped'
    ORDER BY run DESC LIMIT 1
) AS last ON true
CROSS JOIN LATERAL (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM gap)) AS seconds
    FROM (SELECT started_at - lag(started_at) OVER (ORDER BY run) AS gap
          FROM (SELECT run, started_at FROM inventory.runs WHERE source = s.name AND status <> 'skipped'
                ORDER BY run DESC LIMIT 20) AS latest) AS gaps
    HAVING count(gap) >= 2
    UNION ALL SELECT NULL LIMIT 1
) AS usual
CROSS JOIN LATERAL (
    SELECT count(*) AS count, array_agg(DISTINCT run ORDER BY run) AS runs FROM inventory.held_deletions
    WHERE source = s.name AND closed_at IS NULL AND approved_at IS NULL
) AS held
WHERE s.name = ANY(%(names)s)
"""


@dataclass(frozen=True, slots=True)
class About:
    """A database, and the role that is logged in.

    Attributes:
        major: the major version of PostgreSQL.
        bytes: size of the whole database.
        may_create: whether the role may create schemas, ...
        may_stage: ... temporary tables, ...
        may_enter: ... and use the schema of the inventory.
        tls: version of TLS on the server's side of the connection, or None.
    """

    major: int
    version: str
    encoding: str
    database: str
    role: str
    standby: bool
    read_only: bool
    bytes: int
    may_create: bool
    may_stage: bool
    may_enter: bool
    tls: str | None


@dataclass(frozen=True, slots=True)
class Right:
    """One privilege on one table or view of the inventory; whether that exists, and the role has it."""

    name: str
    privilege: str
    there: bool
    granted: bool


@dataclass(frozen=True, slots=True)
class Left:
    """How many more connections the server, the role and the database accept; None: no limit of its own."""

    server: int
    role: int | None
    database: int | None


@dataclass(frozen=True, slots=True)
class Timeout:
    """A time-out in seconds that the role, the database or the server sets for every session."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class State:
    """The state of one source; ages and intervals in seconds.

    Attributes:
        in_future: how far in the future the last run began or took effect; negative if that is past, as it should be.
        usual: the usual interval between two runs; None while there are too few.
        held_by: the runs whose held deletions wait for a person.
        committed: whether any run has committed, so that API and filter are those of an inventory.
    """

    name: str
    api: str
    filter: str
    proven_ago: float | None
    run: int | None
    status: str | None
    reason: str | None
    in_future: float
    usual: float | None
    held: int
    held_by: list[int]
    committed: bool


class Inspection:
    """Looks at a database; each question is a transaction of its own that can't write, but for trials."""

    def __init__(self, connection: Connection, target: Target) -> None:
        self.connection = connection
        self.target = replace(target, statement_timeout=_STATEMENT_TIMEOUT, lock_timeout=_LOCK_TIMEOUT)

    def process(self) -> int:
        """Process id of the server's side of this connection; a pooler may give each transaction another one."""
        with self._reading():
            (row,) = self.connection.execute("SELECT pg_backend_pid()")
            process: int = row[0]
            return process

    def about(self) -> About:
        """The server, the database and the role."""
        return self.all_of(About, _ABOUT)[0]

    def now(self) -> datetime:
        """The database's clock."""
        with self._reading():
            (row,) = self.connection.execute("SELECT clock_timestamp()")
            moment: datetime = row[0]
            return moment

    def connections_left(self) -> Left:
        """How many more connections are possible, ours counted as used."""
        return self.all_of(Left, _CONNECTIONS)[0]

    def timeouts(self) -> list[Timeout]:
        """The time-outs that could end a run's session; a run sets all others itself."""
        return self.all_of(Timeout, _TIMEOUTS)

    def rights_of_a_run(self, major: int) -> list[Right]:
        """Every privilege that a run needs; ``major`` is the version of the server."""
        return self._rights([(name, right) for name, rights, since in NEEDED if major >= since for right in rights])

    def revision(self) -> str | None:
        """The revision of the schema, or None where there is no inventory yet.

        Raises:
            SchemaVersionError: it is not the one this program needs.
        """
        with self._reading():
            revision = migrate.current(self.connection)
            if revision is not None:
                migrate.check(self.connection)
            return revision

    def rights_of_readers(self) -> list[Right]:
        """Every privilege that the reading commands need besides."""
        return self._rights([(name, "SELECT") for name in READ_BY_VIEWERS])

    def states(self, names: Sequence[str]) -> dict[str, State]:
        """The states of these sources, by name; sources that never ran are left out."""
        return {state.name: state for state in self.all_of(State, _SOURCES, names=list(names))}

    def _rights(self, rights: Sequence[tuple[str, str]]) -> list[Right]:
        names, privileges = (list(part) for part in zip(*rights, strict=True))
        return self.all_of(Right, _RIGHTS, names=names, privileges=privileges)

    def all_of(self, kind: type[T], query: str, **values: object) -> list[T]:
        """The rows of a query, each as one of these."""
        with self._reading(), self.connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(query, values or None).fetchall()

    @contextmanager
    def writing(self, step: str) -> Iterator[None]:
        """A transaction that can write, for what can only be found out by a trial; roll it back."""
        with transaction(self.connection, self.target, step):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with transaction(self.connection, self.target, "looking at the database", snapshot=True):
            yield
