"""The database as a plan sees it: what a run would write is staged and planned, and then rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sync.domain.run import RequestStats, Run, Source
from sync.store.runs import records
from sync.store.runs.database import Database
from sync.store.runs.transaction import DryRunTransaction, RunTransaction


class DryRun(Database):
    """The same database for a plan: the run is not on record, and its transaction is rolled back before it writes."""

    def prepare(self) -> None:
        """Refuse a schema that is not the program's; make none."""
        self._check_version()

    def start(self, source: Source, trigger: str) -> Run:  # noqa: ARG002 - there is no record to say it in
        """Begin a run that is not on record."""
        with self._interruptible():
            return records.look(self.connection, self.target, source)

    @contextmanager
    def writing(self, run: Run) -> Iterator[RunTransaction]:
        """The transaction of a plan; what it staged is gone with it."""
        with self._interruptible(), self._transaction("planning"):
            tables = DryRunTransaction(self.connection, run)
            tables.fence()
            yield tables
        self._roll_back()

    def fail(self, run: Run, error: BaseException, stats: RequestStats) -> None:
        """There is no record to say it in."""
