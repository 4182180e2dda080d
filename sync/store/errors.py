"""The driver's errors turned into ours: here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg

from sync.errors import (
    DatabaseBusyError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    SchemaVersionError,
    StoreError,
)
from sync.store.poolers import PoolerError

AT_THE_PRIMARY = (
    "point IMAGE_SYNC_DATABASE_URL at the primary, or name all servers in it with target_session_attrs=read-write: "
    "postgresql://USER@HOST1,HOST2/NAME?target_session_attrs=read-write"
)


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer within our limit, and the connection was closed."""


@contextmanager
def translate_errors(step: str, connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Turn the driver's errors into ours, and name the step that failed."""
    try:
        yield
    except psycopg.Error as error:
        raise to_store_error(error, step, connection) from error


def to_store_error(error: psycopg.Error, step: str, connection: psycopg.Connection[Any]) -> StoreError:
    """Our error for one of the driver's, which came on this connection; it says what to do."""
    what = f"while {step}: {first_line(error)}"
    if isinstance(error, PoolerError):
        return error.meaning.kind(what)
    kind, advice = _advice(error, connection)
    problem = kind(f"{what}; {advice}" if advice else what)
    problem.what, problem.context = what, error.diag.context or ""
    return problem


def first_line(error: psycopg.Error) -> str:
    """The error in one line, without a password."""
    line = error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
    return re.sub(r"password=\S+", "password=***", line)


def why_read_only(connection: psycopg.Connection[Any]) -> str:
    """Why nothing can be written here, and what to do; "" if the server did not say so.

    Servers report both parameters by themselves, and a pooler may keep them back.
    """
    if connection.closed:
        return ""
    info = connection.info
    if info.parameter_status("in_hot_standby") == "on":
        return f"this server is a read-only standby; {AT_THE_PRIMARY}"
    if info.parameter_status("default_transaction_read_only") == "on":
        return (
            "this server is not a standby, but default_transaction_read_only is on; to write here, set it to off by "
            f"ALTER ROLE {info.user} or ALTER DATABASE {info.dbname}"
        )
    return ""


def sequence_behind(table: str, column: str) -> str:
    """What to do where a sequence gives numbers that its table already has."""
    last = f"(SELECT max({column}) FROM inventory.{table})"  # noqa: S608 - text to show
    return (
        "its sequence is behind the table, as after logical replication or a restore of the rows alone; have the owner "
        f"run SELECT setval(pg_get_serial_sequence('inventory.{table}', '{column}'), {last})"
    )


def _advice(error: psycopg.Error, connection: psycopg.Connection[Any]) -> tuple[type[StoreError], str]:
    if isinstance(error, pg.ReadOnlySqlTransaction):
        return DatabaseRefusedError, why_read_only(
            connection
        ) or f"the server is a standby, or read-only; {AT_THE_PRIMARY}"
    # PostgreSQL translates its messages, but not the names of its own files and functions.
    places = {"", error.diag.source_file, error.diag.source_function, error.diag.constraint_name}
    for kinds, place, kind, advice in _ADVICE:
        if isinstance(error, kinds) and place in places:
            return kind, advice
    return StoreError, ""


# The kinds of the driver's errors; the constraint or the place in PostgreSQL that raised them, or ""; our error; and
# what to do. The first that fits counts, so the general ones come last.
_ADVICE: tuple[tuple[tuple[type[psycopg.Error], ...], str, type[StoreError], str], ...] = (
    (
        (pg.QueryCanceled,),
        "",
        DatabaseBusyError,
        "nothing was written; if the database is just slow, raise statement_timeout",
    ),
    (
        (pg.SerializationFailure, pg.DeadlockDetected),
        "postgres.c",
        DatabaseBusyError,
        (
            "a standby ends queries that hold up its replication; run the command again, or ask the primary; "
            "max_standby_streaming_delay and hot_standby_feedback of the standby let queries take longer"
        ),
    ),
    (
        (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure),
        "",
        DatabaseBusyError,
        "nothing was written; pg_stat_activity shows who holds the lock; the next run tries again",
    ),
    (
        (pg.InsufficientPrivilege,),
        "check_enable_rls",
        DatabaseRefusedError,
        (
            "images that a policy hides would look as if they were gone; have the owner of the table run ALTER TABLE "
            "... DISABLE ROW LEVEL SECURITY, or an administrator ALTER ROLE ... BYPASSRLS for the role of the job"
        ),
    ),
    (
        (pg.InsufficientPrivilege,),
        "InitTempTableNamespace",
        DatabaseRefusedError,
        (
            "changes are staged in temporary tables; have the owner of the database run GRANT TEMPORARY ON DATABASE "
            "... TO the role of the job"
        ),
    ),
    (
        (pg.InsufficientPrivilege,),
        "",
        DatabaseRefusedError,
        "have the owner of the schema inventory grant this privilege to the role of the job",
    ),
    ((pg.UniqueViolation,), "runs_pkey", StoreError, sequence_behind("runs", "run")),
    ((pg.UniqueViolation,), "prunings_pkey", StoreError, sequence_behind("prunings", "pruning")),
    (
        (pg.IdleInTransactionSessionTimeout,),
        "",
        DatabaseUnavailableError,
        "this process or its machine was paused during a transaction; nothing was written, the next run tries again",
    ),
    (
        (NoAnswerError,),
        "",
        DatabaseUnavailableError,
        "the connection was closed; check the database server, and the network or pooler in between",
    ),
    (
        (pg.DiskFull, pg.OutOfMemory),
        "",
        StoreError,
        "nothing was written; free disk space or memory on the database server",
    ),
    (
        (pg.UndefinedTable, pg.UndefinedColumn, pg.InvalidSchemaName),
        "",
        SchemaVersionError,
        "the schema does not fit this program; run `image-sync db status`",
    ),
    (
        (psycopg.OperationalError, psycopg.InterfaceError),
        "",
        DatabaseUnavailableError,
        "the connection is lost; the next run tries again",
    ),
)
