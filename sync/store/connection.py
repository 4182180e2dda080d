"""A connection to PostgreSQL, and its errors turned into ours: here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import BytesBinaryDumper

from sync import errors
from sync.store.waiting import Connection, NoAnswerError, Over, never

_KEEPALIVE = {
    "keepalives_idle": "30",  # seconds
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the database is, and how long it may keep us waiting.

    Attributes:
        url: a libpq URL or connection string; holds the password, so it is never shown.
        connect_timeout: seconds.
        lock_timeout: seconds a statement may wait for a lock.
        statement_timeout: seconds a statement may take.
        idle_timeout: seconds that a transaction of ours may stand still before the server ends it.
        margin: seconds beyond ``statement_timeout`` after which we wait no longer: the server should have answered.
        before: called before each connection; starts a server of our own that was killed.
    """

    url: str
    connect_timeout: int = 10
    lock_timeout: float = 10.0
    statement_timeout: float = 300.0
    idle_timeout: float = 30.0
    margin: float = 5.0
    before: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return "Target(...)"

    @property
    def longest(self) -> float:
        """Seconds that we wait for one answer."""
        return self.statement_timeout + self.margin


def libpq_url(url: str) -> str:
    """The URL as libpq takes it: without the driver's name that SQLAlchemy wants."""
    return re.sub(r"^(postgres(?:ql)?)\+\w+:", r"\1:", url)


def connect(target: Target, over: Over = never) -> Connection:
    """Open a connection that commits each statement, but for what stands between BEGIN and COMMIT.

    Args:
        target: where the database is.
        over: whether to wait no longer; called in the midst of each wait for an answer.

    Raises:
        DatabaseUnavailableError: it can't be opened.
        DatabaseRefusedError: the database can't hold every name.
    """
    connection = open_connection(target, over)
    if connection.info.parameter_status("server_encoding") != "UTF8":
        connection.close()
        raise errors.DatabaseRefusedError(f"the database is not in UTF8, so {NOT_UTF8}")
    return connection


NOT_UTF8 = "names would be lost; create one with ENCODING 'UTF8'"


def open_connection(target: Target, over: Over = never) -> Connection:
    """The same, whatever the database is encoded in; for those who only want to look at it.

    Raises:
        DatabaseUnavailableError: it can't be opened.
    """
    target.before()
    try:
        connection = Connection.connect(
            _watchful(libpq_url(target.url)),
            autocommit=True,
            connect_timeout=target.connect_timeout,
            application_name="image-sync",
            client_encoding="UTF8",  # whatever PGCLIENTENCODING says: names of any script must arrive
            # Prepared statements do not survive a pooler that hands out another connection each transaction.
            prepare_threshold=None,
        )
    except psycopg.ProgrammingError:
        # The driver's text quotes the whole string, password and all.
        raise errors.DatabaseUnavailableError(
            "the database URL can't be understood; check IMAGE_SYNC_DATABASE_URL"
        ) from None
    except psycopg.Error as error:
        raise errors.DatabaseUnavailableError(f"the database can't be reached: {_first_line(error)}") from None
    # Registered last, it is found by the type's number as well, where else a slower one in Python would be.
    connection.adapters.register_dumper(bytes, BytesBinaryDumper)
    connection.over = over
    return connection


def _watchful(url: str) -> str:
    """The same, but a peer that fell silent is noticed within a minute; what the URL says of it itself stands."""
    given = conninfo_to_dict(url)
    return make_conninfo(url, **{name: value for name, value in _KEEPALIVE.items() if name not in given})


def bounds(target: Target) -> str:
    """Statement that bounds the waits of the transaction it stands in, and has times told as the driver reads them.

    It holds through a pooler, as SET would not. A few changed images are looked up in a table that was just read, so
    that random access is cheap, and compiling a plan costs more than running it. Should our process or machine
    stand still in the transaction, the server ends it, so that its locks keep no one else from writing.
    """
    times = (target.lock_timeout, target.statement_timeout, target.idle_timeout)
    lock, statement, idle = (int(seconds * 1000) for seconds in times)
    return (
        f"SELECT set_config('lock_timeout', '{lock}', true), set_config('statement_timeout', '{statement}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{idle}', true), "
        "set_config('standard_conforming_strings', 'on', true), "
        "set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true), "
        "set_config('random_page_cost', '1.1', true), set_config('jit', 'off', true)"
    )


@contextmanager
def transaction(connection: Connection, target: Target, step: str) -> Iterator[None]:
    """A transaction that no lock, no statement and no silence keeps waiting longer than the settings allow."""
    with translate_errors(step), connection.patient(target.longest), connection.transaction():
        connection.execute(bounds(target))
        yield


@contextmanager
def translate_errors(step: str) -> Iterator[None]:
    """Turn the driver's errors into ours, naming the step that met them."""
    try:
        yield
    except psycopg.Error as error:
        raise to_store_error(error, step) from error


def to_store_error(error: psycopg.Error, step: str) -> errors.StoreError:
    """The error of ours that says what to do."""
    text = _first_line(error)
    for kinds, ours_kind, advice in _ADVICE:
        if isinstance(error, kinds):
            return ours_kind(f"while {step}: {text}; {advice}")
    return errors.StoreError(f"while {step}: {text}")


_ADVICE: tuple[tuple[tuple[type[psycopg.Error], ...], type[errors.StoreError], str], ...] = (
    (
        (pg.QueryCanceled,),
        errors.DatabaseBusyError,
        "nothing was written; if the database is only slow, raise statement_timeout",
    ),
    (
        (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure),
        errors.DatabaseBusyError,
        "nothing was written; see who holds the lock in pg_stat_activity, the next run tries again",
    ),
    (
        (pg.InsufficientPrivilege,),
        errors.DatabaseRefusedError,
        "have the owner of the schema inventory grant it to the role of the job",
    ),
    (
        (pg.ReadOnlySqlTransaction,),
        errors.DatabaseRefusedError,
        "this is a standby or read-only; point IMAGE_SYNC_DATABASE_URL at the primary",
    ),
    (
        (pg.IdleInTransactionSessionTimeout,),
        errors.DatabaseUnavailableError,
        "this process or its machine stood still in a transaction; nothing was written, the next run tries again",
    ),
    (
        (NoAnswerError,),
        errors.DatabaseUnavailableError,
        "the connection was given up; see whether the database server and the network to it are well",
    ),
    ((pg.DiskFull, pg.OutOfMemory), errors.StoreError, "nothing was written; give the database more room"),
    (
        (pg.UndefinedTable, pg.UndefinedColumn, pg.InvalidSchemaName),
        errors.SchemaVersionError,
        "the schema does not fit this program: `image-sync db status`",
    ),
    (
        (psycopg.OperationalError, psycopg.InterfaceError),
        errors.DatabaseUnavailableError,
        "the connection is lost; the next run tries again",
    ),
)


def _first_line(error: psycopg.Error) -> str:
    told = error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
    return re.sub(r"password=\S+", "password=***", told)
