"""The database as a run sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple, NoReturn, Self

import psycopg

from sync import logs
from sync.domain.run import RequestStats, Run, Source
from sync.domain.stored_digests import StoredDigests
from sync.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    DeadlineError,
    ImageSyncError,
    InterruptedRunError,
    OutcomeUnknownError,
    StoreError,
    SupersededError,
)
from sync.store.connection import Target, bounds, connect, to_store_error, transaction, translate_errors
from sync.store.runs import records, statements
from sync.store.runs.transaction import RunTransaction
from sync.store.schema import migrate
from sync.store.waiting import Connection, later, never

_log = logs.get(__name__)
_AT_ONCE = 50_000  # digests that are looked up together; each time the images are looked through once
_BRIEF = 2.0  # seconds that each last thing may take when the run's own time is over
_TRYING = 8.0  # seconds in which to try to put on record that the deadline passed
_PAUSE = 0.2  # seconds between two tries
_ASKING = 30.0  # seconds to ask what became of a COMMIT
_LOCK = "SELECT FROM inventory.sources WHERE name = %s FOR NO KEY UPDATE"  # lets other runs begin
_TOOK_EFFECT = "SELECT effective_at IS NOT NULL FROM inventory.runs WHERE source = %s AND run = %s"
_VERSION = "reading the version of the schema"
_ONE_UPGRADE = threading.Lock()  # Alembic keeps what it works on in one place for the whole process


class Database:
    """One connection for one run after another.

    Args:
        target: where the database is.

    Attributes:
        over: why the run may not go on, or None; no wait for the database outlasts it by more than seconds.
        wrote_seconds: that the last writing transaction took.

    Raises:
        DatabaseUnavailableError: it can't be reached.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.over: Callable[[], ImageSyncError | None] = lambda: None
        self.wrote_seconds = 0.0
        self._cancelling = self._cancelled = False
        self.connection: Connection = connect(target, self._is_over)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def cancel(self) -> None:
        """End the statement under way, and the run with it; may be called from a signal handler or another thread."""
        self._cancelling = True
        try:
            with suppress(psycopg.Error):
                self.connection.cancel_safe(timeout=1)
        finally:
            self._cancelled = True  # only now, as who sees it goes on to record how the run ended

    def prepare(self) -> None:
        """Make the schema in an empty database; refuse one of another version.

        Raises:
            SchemaVersionError: it is older or newer than the program.
        """
        if self._version() is None:
            with _ONE_UPGRADE, self._interruptible():
                if self._version() is None:
                    migrate.upgrade(self.target, over=self._is_over)
        self._check_version()

    def start(self, source: Source, trigger: str) -> Run:
        """Put a new run on record, at once."""
        with self._interruptible():
            return records.start(self.connection, self.target, source, trigger)

    def skip(self, source: Source, reason: str) -> None:
        """Put on record a run that was due and did not begin."""
        records.skip(self.connection, self.target, source, reason)

    def known(self, run: Run) -> StoredDigests:
        """The digests of what is stored, in one query."""
        with self._bounded("reading what is stored"):
            cursor = self.connection.cursor(binary=True)
            row = cursor.execute(statements.KNOWN, {"source": run.source.name}).fetchone()
        known = StoredDigests(*(row or ()))
        _log.info("inventory read", live=known.live)
        return known

    def live_images(self, run: Run, raw_digests: Iterable[bytes]) -> Iterator[tuple[str, datetime | None]]:
        """The ids of the live images with these digests of their bytes; flat in memory however many there are.

        With each recently listed one stands until when it is not believed gone.

        Raises:
            SupersededError: another run of the source committed since this one began.
            StoreError: the database does not find all that it said it holds.
        """
        waiting = iter(raw_digests)
        while digests := list(islice(waiting, _AT_ONCE)):
            facts = {"source": run.source.name, "digests": digests, "grace": run.source.grace}
            with self._bounded("looking up what the list does not show"):
                rows = self.connection.execute(statements.BY_DIGEST, facts).fetchall()
                if len(rows) < len(digests):
                    self._explain_loss(run, len(digests) - len(rows))
            yield from ((image, grace_until) for image, live, grace_until in rows if live)

    @contextmanager
    def writing(self, run: Run) -> Iterator[RunTransaction]:
        """The writing transaction, fenced.

        Raises:
            SupersededError: another run of the source committed since this one began, or is writing.
            OutcomeUnknownError: COMMIT was sent, and the database can't be asked what became of it.
        """
        began = time.monotonic()
        with self._interruptible():
            with self._transaction("writing"):
                tables = RunTransaction(self.connection, run)
                tables.fence()
                yield tables
            self._commit(run)
        self.wrote_seconds = time.monotonic() - began
        _log.info("changes written", seconds=round(self.wrote_seconds, 3))
        self._mark_overtaken(run)

    def fail(self, run: Run, error: BaseException, stats: RequestStats) -> None:
        """Put on record why a run ended; if the database is gone, the record stays as it is.

        Tried once more where the connection turns out to be lost, and for some seconds at the deadline, which perhaps
        came because the database was away; each try is short, since the run's own time is over.
        """
        until = time.monotonic() + (_TRYING if isinstance(error, DeadlineError) else 0)
        while (second := self._record(run, error, stats)) is not None:
            if not second.lost and (self._cancelling or time.monotonic() >= until):
                error.add_note(f"nor could that be recorded: {second.why}")
                return

    def _record(self, run: Run, error: BaseException, stats: RequestStats) -> _Unrecorded | None:
        was_open = not self.connection.closed
        try:
            if not was_open:
                self.connection = connect(self._brief(), self._is_over)
            with self.connection.patient(None, never):
                records.fail(self.connection, self._brief(), run, error, stats)
        except StoreError as second:
            if not (lost := was_open and self.connection.closed):
                time.sleep(_PAUSE)
            return _Unrecorded(second, lost=lost)
        return None

    def _brief(self) -> Target:
        """The same database for what must not take long any more."""
        lock, statement = (min(_BRIEF, each) for each in (self.target.lock_timeout, self.target.statement_timeout))
        return replace(self.target, connect_timeout=2, lock_timeout=lock, statement_timeout=statement, margin=0.5)

    def _version(self) -> str | None:
        with self._bounded(_VERSION):
            return migrate.current(self.connection)

    def _check_version(self) -> None:
        with self._bounded(_VERSION):
            migrate.check(self.connection)

    def _explain_loss(self, run: Run, lost: int) -> NoReturn:
        """Say why stored images are not found: another run changed them, or something is wrong."""
        row = self.connection.execute(statements.EPOCH, {"source": run.source.name}).fetchone()
        if row and row[0] != run.epoch:
            raise SupersededError("another run of this source committed meanwhile; this one wrote nothing")
        raise StoreError(
            f"the database does not find {lost} of the images that it holds, so what is missing can't be known; "
            "nothing was written; `image-sync verify` looks for what is wrong"
        )

    @contextmanager
    def _bounded(self, step: str) -> Iterator[None]:
        with self._interruptible(), transaction(self.connection, self.target, step):
            yield

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """A wait that was ended because the run had to end is no fault of the database."""
        try:
            yield
        except (DatabaseBusyError, DatabaseUnavailableError) as error:
            if ended := self._ended():
                raise ended from error
            raise

    def _ended(self) -> ImageSyncError | None:
        return InterruptedRunError() if self._cancelling else self.over()

    def _is_over(self) -> bool:
        return self._cancelled or self.over() is not None

    @contextmanager
    def _transaction(self, step: str) -> Iterator[None]:
        """What stands between BEGIN and COMMIT; all is rolled back where it breaks."""
        with self.connection.patient(self.target.longest):
            try:
                with translate_errors(step):
                    self.connection.execute("BEGIN")
                    self.connection.execute(bounds(self.target))
                yield
            except BaseException:
                self._roll_back()
                raise

    def _commit(self, run: Run) -> None:
        """Commit; this may take a little longer than the run, as it is about to be done."""
        try:
            with self.connection.patient(self.target.longest, later(self._is_over, _BRIEF)):
                self.connection.execute("COMMIT")
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if not self._committed(run):
                raise to_store_error(error, "committing") from error
        except psycopg.Error as error:
            raise to_store_error(error, "committing") from error

    def _committed(self, run: Run) -> bool:
        """Ask on a new connection what became of a COMMIT whose answer was lost."""
        longest = min(_ASKING, self.target.statement_timeout)
        target = self._brief() if self._is_over() else replace(self.target, statement_timeout=longest)
        try:
            self.connection.close()
            self.connection = connect(target, self._is_over)
            limits = self.connection.patient(None, later(self._is_over, _BRIEF))
            with limits, transaction(self.connection, target, "asking what became of COMMIT"):
                # Waits for the lost transaction, should it still be under way: it holds this row.
                self.connection.execute(_LOCK, [run.source.name])
                row = self.connection.execute(_TOOK_EFFECT, [run.source.name, run.number]).fetchone()
        except StoreError as error:
            raise OutcomeUnknownError(
                "the connection was lost while committing, and the database can't be asked what became of it; "
                f"`image-sync status` tells, run {run.number} is done or it is not: {type(error).__name__}"
            ) from error
        return bool(row and row[0])

    def _mark_overtaken(self, run: Run) -> None:
        """Mark the runs that this one overtook; the next one does it where this can't be done."""
        with suppress(StoreError), self.connection.patient(None, never):
            records.overtake(self.connection, self._brief(), run)

    def _roll_back(self) -> None:
        try:
            with self.connection.patient(_BRIEF, never):
                self.connection.execute("ROLLBACK")
        except psycopg.Error:
            self.connection.close()  # the server rolls back by itself


class _Unrecorded(NamedTuple):
    """Why the end of a run is not on record; ``lost``: the connection broke only now, and a new one may serve."""

    why: StoreError
    lost: bool
