"""Connections to PostgreSQL on which no wait lasts forever, whatever the server and the network do."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import IsolationLevel
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.string import BytesBinaryDumper

from sync import logs
from sync.errors import DatabaseRefusedError, DatabaseUnavailableError, StoreError
from sync.settings import Secret
from sync.settings.addresses import passwords_in
from sync.store import session
from sync.store.errors import NoAnswerError, first_line, translate_errors
from sync.store.poolers import PoolerError, meaning_of

if TYPE_CHECKING:
    from psycopg.abc import PQGen

T = TypeVar("T")
Over = Callable[[], bool]
_log = logs.get(__name__)
NOT_UTF8 = "names would be lost; create one with ENCODING 'UTF8'"
_POLL = 0.1  # seconds between two looks at our clock during a wait; the driver wakes up as often
_LAST_CHANCE = 1.0  # seconds for the server to answer a request to cancel, and to end what was cancelled
# A peer that went silent is noticed within a minute.
_KEEPALIVE = {
    "keepalives_idle": "30",  # seconds
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
}


def never() -> bool:
    """Say that it is not over."""
    return False


def later(over: Over, seconds: float) -> Over:
    """Say that it is over only once it has been over for some seconds."""
    since: list[float] = []

    def delayed() -> bool:
        if not over():
            return False
        since[:] = since or [time.monotonic()]
        return time.monotonic() - since[0] >= seconds

    return delayed


@dataclass(frozen=True, slots=True)
class Target:
    """Where the database is, and how long it may keep us waiting.

    Attributes:
        url: a libpq URL or connection string; holds the password, so it is never shown.
        connect_timeout: seconds.
        lock_timeout: seconds a statement may wait for a lock.
        statement_timeout: seconds a statement may take; 0: as long as it takes.
        idle_timeout: seconds after which the server ends a transaction of ours that does nothing; 0: never.
        margin: seconds beyond ``statement_timeout`` in which the server should have answered; then we stop waiting.
        before: called before each connection; starts a server of our own that was killed.
        secret: the URL again, if it may be in a file; it counts instead, as others may replace the password there.
    """

    url: str
    connect_timeout: int = 10
    lock_timeout: float = 10.0
    statement_timeout: float = 300.0
    idle_timeout: float = 30.0
    margin: float = 5.0
    before: Callable[[], None] = lambda: None
    secret: Secret | None = None

    def __repr__(self) -> str:
        return "Target(...)"

    @property
    def longest(self) -> float | None:
        """Seconds that we wait for one answer; None: as long as it takes."""
        return self.statement_timeout + self.margin if self.statement_timeout else None

    @property
    def session_settings(self) -> str:
        """The statement with which each transaction begins."""
        return session.settings(
            lock_timeout=self.lock_timeout, statement_timeout=self.statement_timeout, idle_timeout=self.idle_timeout
        )

    def without_hurry(self) -> Target:
        """The same database for commands that only read: an answer may take long, and so may whoever reads it."""
        return replace(self, statement_timeout=0, idle_timeout=0)


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose every wait can be ended by us, by our own clock.

    The time-outs of the server and of TCP do not help where the server's process hangs, or where something in between
    keeps the connection open and forwards nothing.

    Attributes:
        limit: seconds for one answer; None: as long as it takes.
        over: whether to stop waiting, such as for a run past its deadline; called during each wait.
        address: of the server, or of what is in its place, for messages.
    """

    limit: float | None = None
    over: Over = staticmethod(never)
    address: str = ""

    @contextmanager
    def limited(self, limit: float | None, over: Over | None = None) -> Iterator[None]:
        """Have these limits for as long as the block lasts."""
        before = self.limit, self.over
        self.limit, self.over = limit, over or self.over
        try:
            yield
        finally:
            self.limit, self.over = before

    @property
    def lost(self) -> bool:
        """Whether the connection is no more: closed by us, or by the other side while it was idle, as proxies do."""
        with suppress(psycopg.Error, OSError):
            while not self.closed and not self.broken:
                poller = select.poll()
                poller.register(self.fileno(), select.POLLIN)
                if not poller.poll(0):
                    return False
                self.pgconn.consume_input()  # a message of the server, or the end, which is an error
        return True

    def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
        """Wait as the driver does, within the limits; everything but connecting and cancelling comes through here."""
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE and self.over():
            self._give_up("not all data was sent when the run had to end")  # in the middle of COPY
        try:
            return super().wait(self._watched(gen), *arguments, **options)
        except pg.ProtocolViolation as error:
            words = first_line(error)
            if meaning := meaning_of(words):
                raise PoolerError(words, self.address, meaning) from error
            raise

    def _watched(self, gen: PQGen[T]) -> PQGen[T]:
        """Pass on what the driver and its generator exchange, and look at the clock where it takes long."""
        began, cancelled = time.monotonic(), None
        try:
            state = next(gen)
            while True:
                ready = yield state
                state = gen.send(ready)  # first, so that an answer that has arrived counts
                now = time.monotonic()
                if now - began < _POLL:
                    continue
                if self.limit is not None and now - began >= self.limit:
                    self._cancel()
                    self._give_up(f"the server did not answer within {self.limit:g} s")
                if cancelled is None and self.over():
                    cancelled = now
                    self._cancel()
                elif cancelled is not None and now - cancelled >= _LAST_CHANCE:
                    self._give_up("the server did not answer, and the run had to end")
        except StopIteration as end:
            result: T = end.value
            return result

    def _cancel(self) -> None:
        """Have the server end the statement, if it can be reached; this takes a connection of its own."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=_LAST_CHANCE)

    def _give_up(self, why: str) -> None:
        self.pgconn.finish()
        raise NoAnswerError(why)


def libpq_url(url: str) -> str:
    """The URL as libpq takes it: without the name of a driver, which SQLAlchemy puts into it."""
    return re.sub(r"^(postgres(?:ql)?)\+\w+:", r"\1:", url)


def connect(target: Target, over: Over = never) -> Connection:
    """Open a connection that commits each statement outside of BEGIN and COMMIT at once.

    Args:
        target: where the database is.
        over: whether to stop waiting; called during each wait for an answer.

    Raises:
        DatabaseUnavailableError: it can't be opened.
        DatabaseRefusedError: a pooler refuses, or the database can't hold every name.
    """
    connection = open_connection(target, over)
    if connection.info.parameter_status("server_encoding") != "UTF8":
        connection.close()
        raise DatabaseRefusedError(f"the database is not in UTF8, so {NOT_UTF8}")
    return connection


def open_connection(target: Target, over: Over = never) -> Connection:
    """Open a connection whatever the encoding of the database, just to look at it.

    Raises:
        DatabaseUnavailableError: it can't be opened.
        DatabaseRefusedError: a pooler refuses.
    """
    target.before()
    connection = _connected_anew(target, target.secret) if target.secret else _connected(target, target.url)
    # Registered last, it also replaces the slower one in Python that is looked up by the type's number.
    connection.adapters.register_dumper(bytes, BytesBinaryDumper)
    connection.isolation_level = IsolationLevel.READ_COMMITTED  # part of each BEGIN, see session.py
    connection.over = over
    connection.address = f"{connection.info.host or 'this machine'}:{connection.info.port}"
    return connection


def _connected_anew(target: Target, secret: Secret) -> Connection:
    """Connect; if that fails, and the file of the URL holds another one by now, once more with that one."""
    url = secret.reveal()
    try:
        return _connected(target, url)
    except (DatabaseUnavailableError, DatabaseRefusedError):
        secret.read_again()  # or another thread did so
        if secret.reveal() == url:
            raise
    url = secret.reveal()
    for each in (url, *passwords_in(url)):
        logs.protect(each)
    _log.warning("database address renewed", reason="no connection was possible, and its file holds another one")
    return _connected(target, url)


def _connected(target: Target, url: str) -> Connection:
    try:
        given = conninfo_to_dict(libpq_url(url))
        given.pop("replication", None)  # such a connection answers no queries, or nothing that a run asks
        return Connection.connect(
            make_conninfo("", **_KEEPALIVE | given),
            autocommit=True,
            connect_timeout=target.connect_timeout,
            application_name="image-sync",
            client_encoding="UTF8",  # whatever PGCLIENTENCODING says: names of any script must arrive
            # Prepared statements do not survive a pooler that gives each transaction another connection.
            prepare_threshold=None,
        )
    except psycopg.ProgrammingError:
        # The driver's text quotes the whole string, password and all.
        raise DatabaseUnavailableError("the database URL can't be understood; check IMAGE_SYNC_DATABASE_URL") from None
    except psycopg.Error as error:
        raise _unreachable(error) from None


def _unreachable(error: psycopg.Error) -> StoreError:
    text = f"the database can't be reached: {first_line(error)}"
    if isinstance(error, pg.ConnectionTimeout):
        # It accepts connections, but is silent until it knows the server's parameters.
        return DatabaseUnavailableError(f"{text}; a pooler in between may be paused, or its server down")
    if meaning := meaning_of(text):
        return meaning.kind(f"{text}; the pooler there {meaning.what}: {meaning.advice}")
    return DatabaseUnavailableError(text)


@contextmanager
def transaction(connection: Connection, target: Target, step: str, *, snapshot: bool = False) -> Iterator[None]:
    """A transaction in which no lock, no statement and no silence lasts longer than the settings allow.

    Args:
        connection: outside of a transaction.
        target: where the database is, and the time-outs.
        step: what it is for, for messages.
        snapshot: whether all of it sees the same moment, and can write nothing.
    """
    with translate_errors(step, connection), connection.limited(target.longest), connection.transaction():
        if snapshot:
            connection.execute(session.SNAPSHOT)
        connection.execute(target.session_settings)
        yield
