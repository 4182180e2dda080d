"""The driver's errors turned into ours: here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

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


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer within our limit, and the connection was closed."""


@contextmanager
def translate_errors(step: str) -> Iterator[None]:
    """Turn the driver's errors into ours, and name the step that failed."""
    try:
        yield
    except psycopg.Error as error:
        raise to_store_error(error, step) from error


def to_store_error(error: psycopg.Error, step: str) -> StoreError:
    """Our error for one of the driver's; it says what to do."""
    text = f"while {step}: {first_line(error)}"
    if isinstance(error, PoolerError):
        return error.meaning.kind(text)
    for kinds, kind, advice in _ADVICE:
        if isinstance(error, kinds):
            return kind(f"{text}; {advice}")
    return StoreError(text)


def first_line(error: psycopg.Error) -> str:
    """The error in one line, without a password."""
    line = error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
    return re.sub(r"password=\S+", "password=***", line)


# The first that fits counts, so the general ones come last.
_ADVICE: tuple[tuple[tuple[type[psycopg.Error], ...], type[StoreError], str], ...] = (
    (
        (pg.QueryCanceled,),
        DatabaseBusyError,
        "nothing was written; if the database is just slow, raise statement_timeout",
    ),
    (
        (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure),
        DatabaseBusyError,
        "nothing was written; pg_stat_activity shows who holds the lock; the next run tries again",
    ),
    (
        (pg.InsufficientPrivilege,),
        DatabaseRefusedError,
        "have the owner of the schema inventory grant it to the role of the job",
    ),
    (
        (pg.ReadOnlySqlTransaction,),
        DatabaseRefusedError,
        "this is a standby or read-only; point IMAGE_SYNC_DATABASE_URL at the primary",
    ),
    (
        (pg.IdleInTransactionSessionTimeout,),
        DatabaseUnavailableError,
        "this process or its machine was paused during a transaction; nothing was written, the next run tries again",
    ),
    (
        (NoAnswerError,),
        DatabaseUnavailableError,
        "the connection was closed; check the database server, and the network or pooler in between",
    ),
    ((pg.DiskFull, pg.OutOfMemory), StoreError, "nothing was written; give the database more room"),
    (
        (pg.UndefinedTable, pg.UndefinedColumn, pg.InvalidSchemaName),
        SchemaVersionError,
        "the schema does not fit this program: `image-sync db status`",
    ),
    (
        (psycopg.OperationalError, psycopg.InterfaceError),
        DatabaseUnavailableError,
        "the connection is lost; the next run tries again",
    ),
)
