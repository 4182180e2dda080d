"""The database as a run sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Self

import psycopg

from sync import logs
from sync.domain.run import RequestStats, Run, Source, StoredImage
from sync.domain.stored_digests import StoredDigests
from sync.errors import (
    DatabaseBusyError,
    DatabaseUnavailableError,
    DeadlineError,
    ImageSyncError,
    InterruptedRunError,
    OutcomeUnknownError,
    StoreError,
)
from sync.store import session
from sync.store.connection import Connection, Target, connect, later, never, transaction
from sync.store.errors import to_store_error, translate_errors
from sync.store.event_triggers import name_event_triggers
from sync.store.runs import records, statements
from sync.store.runs.transaction import RunTransaction, check_epoch
from sync.store.schema import migrate

_log = logs.get(__name__)
_CHUNK = 50_000  # digests that are looked up together; each look-up scans the images once
_STEP = 250
_BRIEF = 2.0  # seconds that each last step may take when the run's own time is over
_RECORD_DEADLINE = 8.0  # seconds in which to try to record that the deadline passed
_PAUSE = 0.2  # seconds between two tries
_ASK_COMMIT = 30.0  # seconds to ask what became of a COMMIT
_LOCK = "SELECT FROM inventory.sources WHERE name = %s FOR NO KEY UPDATE"  # lets other runs begin
_TOOK_EFFECT = "SELECT effective_at IS NOT NULL FROM inventory.runs WHERE source = %s AND run = %s"
_IF_RESTORING = "the database held none; restore a backup over it, if there is one: docs/operating.md"
_ONE_UPGRADE = threading.Lock()  # Alembic keeps its state in one place for the whole process


class Database:
    """One connection, for one run after another.

    Args:
        target: where the database is.

    Attributes:
        over: why the run may not go on, or None; no wait for the database outlasts it by more than some seconds.
        wrote_seconds: how long the last writing transaction took.
        step: live images between two ids that a list by marker is read from at the same time.

    Raises:
        DatabaseUnavailableError: it can't be reached.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.over: Callable[[], ImageSyncError | None] = lambda: None
        self.wrote_seconds = 0.0
        self.step = _STEP
        self._cancelling = self._cancelled = False
        self.connection: Connection = connect(target, self._is_over)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def cancel(self) -> None:
        """End the current statement, and the run with it; may be called from a signal handler or another thread."""
        self._cancelling = True
        try:
            with suppress(psycopg.Error):
                self.connection.cancel_safe(timeout=1)
        finally:
            self._cancelled = True  # only now: whoever sees it goes on to record how the run ended

    def prepare(self) -> None:
        """Make the schema in an empty database; refuse one of another version.

        Raises:
            SchemaVersionError: the schema is older or newer than the program.
        """
        if self._version() is None:
            with _ONE_UPGRADE, self._interruptible():
                if self._version() is None:
                    migrate.upgrade(self.target, over=self._is_over)
                    _log.info("inventory created", advice=_IF_RESTORING)
        self._check_version()

    def start(self, source: Source, trigger: str) -> Run:
        """Put a new run on record, at once."""
        with self._interruptible():
            return records.start(self.connection, self.target, source, trigger)

    def claim(self, run: Run, scope: str) -> Run:
        """The run with the scope of its credentials, which its commit records; another scope than before is refused.

        Args:
            run: the run.
            scope: project and roles of the credentials, as a canonical query; "" for no project.

        Raises:
            ScopeChangedError: the inventory was made with another scope.
        """
        return records.claim(run, scope)

    def skip(self, source: Source, reason: str) -> None:
        """Put on record a run that was due and did not begin."""
        records.skip(self.connection, self.target, source, reason)

    def known(self, run: Run) -> StoredDigests:
        """The digests of what is stored, in the order of the list, in one query."""
        values = {"source": run.source.name, "step": self.step}
        with self._bounded("reading what is stored"):
            cursor = self.connection.cursor(binary=True)
            row = cursor.execute(statements.known(run.source.api).encode(), values).fetchone() or ()
        known = StoredDigests(*row[:3])
        if len(row) > len(row[:3]):
            starts, places, hidden_from = row[3:]
            known = StoredDigests(*row[:3], starts=dict(zip(starts, places, strict=True)), hidden_from=hidden_from)
        _log.info("inventory read", live=known.live)
        return known

    def live_images(self, run: Run, raw_digests: Iterable[bytes]) -> Iterator[StoredImage]:
        """The live images with these digests of their bytes, in constant memory.

        Raises:
            SupersededError: another run of the source committed since this one began.
            StoreError: the database does not find all images that it said it holds.
        """
        remaining = iter(raw_digests)
        while digests := list(islice(remaining, _CHUNK)):
            values = {"source": run.source.name, "digests": digests, "grace": run.source.grace}
            with self._bounded("looking up what the list does not show"):
                rows = self.connection.execute(statements.BY_DIGEST, values).fetchall()
                if len(rows) < len(digests):
                    check_epoch(self.connection, run)
                    raise StoreError(
                        f"the database does not find {len(digests) - len(rows)} of the images that it holds, so what "
                        "is missing can't be known; nothing was written; `image-sync verify` looks for what is wrong"
                    )
            yield from (StoredImage(image, *rest) for image, live, *rest in rows if live)

    def created_at(self, run: Run, ids: Collection[str]) -> list[tuple[str, datetime | None]]:
        """When these images were created, those of them that are stored."""
        if not ids:
            return []
        with self._bounded("looking up images that came with different contents"):
            values = {"source": run.source.name, "ids": list(ids)}
            return self.connection.execute(statements.CREATED_AT, values).fetchall()

    @contextmanager
    def transaction(self, run: Run) -> Iterator[RunTransaction]:
        """The writing transaction, fenced.

        Raises:
            SupersededError: another run of the source committed since this one began, or is writing.
            OutcomeUnknownError: COMMIT was sent, and the database can't be asked what became of it.
        """
        began = time.monotonic()
        with self._interruptible():
            self._renew_if_lost()
            with self._transaction("writing"):
                yield RunTransaction.begin(self.connection, run)
            self._commit(run)
        self.wrote_seconds = time.monotonic() - began
        _log.info("changes written", seconds=round(self.wrote_seconds, 3))
        # Where this can't be done, the next run does it.
        with suppress(StoreError), self.connection.limited(None, never):
            records.abandon_earlier(self.connection, self._brief(), run)

    def fail(self, run: Run, error: BaseException, stats: RequestStats) -> None:
        """Record why a run ended; if the database is gone, the record stays as it is.

        Tries once more where the connection turns out to be lost, and for some seconds after the deadline, which may
        have passed because the database was away; each try is short, since the run's own time is over.
        """
        until = time.monotonic() + (_RECORD_DEADLINE if isinstance(error, DeadlineError) else 0)
        while True:
            was_open = not self.connection.closed
            second = self._record(run, error, stats)
            if second is None:
                return
            if was_open and self.connection.closed:
                continue  # the connection broke only now, and a new one may work
            time.sleep(_PAUSE)
            if self._cancelling or time.monotonic() >= until:
                error.add_note(f"nor could that be recorded: {second}")
                return

    def _record(self, run: Run, error: BaseException, stats: RequestStats) -> StoreError | None:
        """Record why a run ended, or return why that can't be done."""
        try:
            if self.connection.closed:
                self.connection = connect(self._brief(), self._is_over)
            with self.connection.limited(None, never):
                records.fail(self.connection, self._brief(), run, error, stats)
        except StoreError as second:
            return second
        return None

    def _brief(self) -> Target:
        """The same database, for last steps that must not take long."""
        lock, statement = (min(_BRIEF, each) for each in (self.target.lock_timeout, self.target.statement_timeout))
        return replace(self.target, connect_timeout=2, lock_timeout=lock, statement_timeout=statement, margin=0.5)

    def _version(self) -> str | None:
        with self._bounded("reading the version of the schema"):
            return migrate.current(self.connection)

    def _check_version(self) -> None:
        with self._bounded("reading the version of the schema"):
            migrate.check(self.connection)

    @contextmanager
    def _bounded(self, step: str) -> Iterator[None]:
        with self._interruptible():
            self._renew_if_lost()
            with transaction(self.connection, self.target, step):
                yield

    def _renew_if_lost(self) -> None:
        """Connect anew if the connection was closed while the cloud was read; the fence protects what is written."""
        if self.connection.lost and not self._is_over():
            self.connection.close()
            self.connection = connect(self.target, self._is_over)
            _log.info("connection renewed")

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Do not blame the database for a wait that ended because the run had to end."""
        try:
            yield
        except (DatabaseBusyError, DatabaseUnavailableError) as error:
            if reason := InterruptedRunError() if self._cancelling else self.over():
                raise reason from error
            raise

    def _is_over(self) -> bool:
        return self._cancelled or self.over() is not None

    @contextmanager
    def _transaction(self, step: str) -> Iterator[None]:
        """Begin a transaction, and roll back if the block fails; COMMIT is left to the caller."""
        with name_event_triggers(self._brief()), self.connection.limited(self.target.longest):
            try:
                with translate_errors(step, self.connection):
                    self.connection.execute(session.BEGIN)
                    self.connection.execute(self.target.session_settings)
                yield
            except BaseException:
                self._roll_back()
                raise

    def _commit(self, run: Run) -> None:
        """Commit; this may outlast the run by a little, as it is nearly done."""
        try:
            with self.connection.limited(self.target.longest, later(self._is_over, _BRIEF)):
                self.connection.execute("COMMIT")
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if not self._committed(run):
                raise to_store_error(error, "committing", self.connection) from error
        except psycopg.Error as error:
            raise to_store_error(error, "committing", self.connection) from error

    def _committed(self, run: Run) -> bool:
        """Ask on a new connection what became of a COMMIT whose answer was lost."""
        longest = min(_ASK_COMMIT, self.target.statement_timeout)
        target = self._brief() if self._is_over() else replace(self.target, statement_timeout=longest)
        try:
            self.connection.close()
            self.connection = connect(target, self._is_over)
            limits = self.connection.limited(None, later(self._is_over, _BRIEF))
            with limits, transaction(self.connection, target, "asking what became of COMMIT"):
                # Waits for the lost transaction, if it is still running: it holds this row.
                self.connection.execute(_LOCK, [run.source.name])
                row = self.connection.execute(_TOOK_EFFECT, [run.source.name, run.number]).fetchone()
        except StoreError as error:
            raise OutcomeUnknownError(
                "the connection was lost while committing, and the database can't be asked what became of it; "
                f"`image-sync status` shows whether run {run.number} is done: {type(error).__name__}"
            ) from error
        return bool(row and row[0])

    def _roll_back(self) -> None:
        try:
            with self.connection.limited(_BRIEF, never):
                self.connection.execute("ROLLBACK")
        except psycopg.Error:
            self.connection.close()  # the server rolls back by itself
