"""The database as a dry run sees it: the changes are staged and planned, and then rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sync.domain.guard import Plan
from sync.domain.outcome import Outcome
from sync.domain.run import Missing, RequestStats, Run, Source, Staged
from sync.store.connection import Connection
from sync.store.runs import records
from sync.store.runs.database import Database
from sync.store.runs.transaction import RunTransaction


class DryRun(Database):
    """The same database, but the run is not on record, and its transaction is rolled back before it writes."""

    def prepare(self) -> None:
        """Refuse a schema that is not the program's; make none."""
        self._check_version()

    def start(self, source: Source, trigger: str) -> Run:  # noqa: ARG002 - there is no record to put it in
        """Begin a run that is not on record."""
        with self._interruptible():
            return records.start_dry(self.connection, self.target, source)

    @contextmanager
    def transaction(self, run: Run) -> Iterator[RunTransaction]:
        """The transaction of a plan, rolled back at its end."""
        with self._interruptible(), self._transaction("planning"):
            yield _DryRunTransaction.begin(self.connection, run)
        self._roll_back()

    def fail(self, run: Run, error: BaseException, stats: RequestStats) -> None:
        """Do nothing, as there is no record to put it in."""


class _DryRunTransaction(RunTransaction):
    """Stages and plans, and neither writes nor records."""

    @classmethod
    def begin(cls, connection: Connection, run: Run) -> Self:
        """Wait for no turn, as nothing will be written."""
        return cls(connection, run, run.started_at)

    def write(self, staged: Staged, plan: Plan) -> None:
        """Write nothing."""

    def finish(self, staged: Staged, plan: Plan, missing: Missing, stats: RequestStats) -> Outcome:
        """Sum up what a run would have done."""
        return records.outcome_of(self._run, plan, staged.listing, missing, stats)
