"""The database as a run sees it; its plan sees the same, and writes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import Any, NoReturn, Self

import psycopg

from sync import logs
from sync.domain.known import Known
from sync.domain.run import Run, Source, Traffic
from sync.errors import InterruptedRunError, OutcomeUnknownError, StoreError, SupersededError
from sync.store import migrate, runs, statements
from sync.store.connect import Target, bounded, bounds, connect, ours, translated
from sync.store.writing import Planned, Writing

_log = logs.get(__name__)
_AT_ONCE = 50_000  # digests that are looked up together; each time the images are looked through once
_ONE_UPGRADE = threading.Lock()  # Alembic keeps what it works on in one place for the whole process


class Database:
    """One connection for one run after another.

    Args:
        target: where the database is.

    Raises:
        DatabaseUnavailableError: it can't be reached.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.connection: psycopg.Connection[Any] = connect(target)
        self.wrote_seconds = 0.0  # that the last writing transaction took
        self._cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def cancel(self) -> None:
        """End the statement under way, and the run with it; may be called from a signal handler or another thread."""
        self._cancelled = True
        with suppress(psycopg.Error):
            self.connection.cancel_safe(timeout=2)

    def prepare(self) -> None:
        """Make the schema in an empty database; refuse one of another version.

        Raises:
            SchemaVersionError: it is older or newer than the program.
        """
        with _ONE_UPGRADE:
            if migrate.current(self.connection) is None:
                migrate.upgrade(self.target)
        migrate.check(self.connection)

    def start(self, source: Source, trigger: str) -> Run:
        """Put a new run on record, at once."""
        return runs.start(self.connection, self.target, source, trigger)

    def skip(self, source: Source, reason: str) -> None:
        """Put on record a run that was due and did not begin."""
        runs.skip(self.connection, self.target, source, reason)

    def known(self, run: Run) -> Known:
        """The digests of what is stored, in one query."""
        with self._bounded("reading what is stored"):
            cursor = self.connection.cursor(binary=True)
            row = cursor.execute(statements.KNOWN, {"source": run.source.name}).fetchone()
        known = Known(*(row or ()))
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
    def writing(self, run: Run) -> Iterator[Writing]:
        """The writing transaction, fenced.

        Raises:
            SupersededError: another run of the source committed since this one began.
            OutcomeUnknownError: COMMIT was sent, and the database can't be asked what became of it.
        """
        began = time.monotonic()
        with ours("writing"):
            self.connection.execute("BEGIN")
            self.connection.execute(bounds(self.target))
        try:
            tables = Writing(self.connection, run)
            with self._interruptible():
                tables.fence()
                yield tables
        except BaseException:
            self._roll_back()
            raise
        self._commit(run)
        self.wrote_seconds = time.monotonic() - began
        _log.info("changes written", seconds=round(self.wrote_seconds, 3))

    def fail(self, run: Run, error: BaseException, traffic: Traffic) -> None:
        """Put on record why a run ended; if the database is gone, the record stays as it is."""
        try:
            if self.connection.broken:
                self.connection = connect(self.target)
            runs.fail(self.connection, self.target, run, error, traffic)
        except StoreError as second:
            error.add_note(f"nor could that be recorded: {second}")

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
        with self._interruptible(), bounded(self.connection, self.target, step):
            yield

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """A statement that was cancelled because the run was stopped is no fault of the database."""
        try:
            yield
        except StoreError as error:
            if self._cancelled:
                raise InterruptedRunError from error
            raise

    def _commit(self, run: Run) -> None:
        try:
            self.connection.execute("COMMIT")
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if not self._committed(run):
                raise translated(error, "committing") from error
        except psycopg.Error as error:
            raise translated(error, "committing") from error

    def _committed(self, run: Run) -> bool:
        """Ask on a new connection what became of a COMMIT whose answer was lost."""
        try:
            self.connection.close()
            self.connection = connect(self.target)
            with self.connection.transaction():
                self.connection.execute(bounds(self.target))
                # Waits for the lost transaction, should it still be under way: it holds this row.
                self.connection.execute("SELECT FROM inventory.sources WHERE name = %s FOR UPDATE", [run.source.name])
                row = self.connection.execute(
                    "SELECT effective_at IS NOT NULL FROM inventory.runs WHERE run = %s", [run.number]
                ).fetchone()
        except (psycopg.Error, StoreError) as error:
            raise OutcomeUnknownError(
                "the connection was lost while committing, and the database can't be asked what became of it; "
                f"`image-sync status` tells, run {run.number} is done or it is not: {type(error).__name__}"
            ) from error
        return bool(row and row[0])

    def _roll_back(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except psycopg.Error:
            self.connection.close()  # the server rolls back by itself


class Planning(Database):
    """The same database for a plan: the run is not on record, and its transaction is rolled back before it writes."""

    def prepare(self) -> None:
        """Refuse a schema that is not the program's; make none."""
        migrate.check(self.connection)

    def start(self, source: Source, trigger: str) -> Run:  # noqa: ARG002 - there is no record to say it in
        """Begin a run that is not on record."""
        return runs.look(self.connection, self.target, source)

    @contextmanager
    def writing(self, run: Run) -> Iterator[Writing]:
        """The transaction of a plan; what it staged is gone with it."""
        with ours("planning"):
            self.connection.execute("BEGIN")
            self.connection.execute(bounds(self.target))
        try:
            tables = Planned(self.connection, run)
            tables.fence()
            yield tables
        finally:
            self._roll_back()

    def fail(self, run: Run, error: BaseException, traffic: Traffic) -> None:
        """There is no record to say it in."""
