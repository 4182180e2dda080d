"""One simulated cloud and its inventory, whose invariants are checked after every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self, TypeVar

import effects
import psycopg
from cloud_tools import Inventory
from effects import Effect
from fault_rules import FaultySimulator
from invariants import Past, check, truth
from servers import Server

from sync import runner, wiring
from sync.domain.outcome import Outcome
from sync.errors import ImageSyncError
from sync.simulator import World
from sync.store.connection import Target
from sync.store.runs.database import Database

E = TypeVar("E", bound=ImageSyncError)


class Edge:
    """A small cloud, a database, and runs between them; the invariants are checked after every run.

    Args:
        server: where the database is made.
        size: images at the start.
        show_deleted: whether the cloud still lists deleted images.
        options: settings of the source that differ from the defaults.
    """

    def __init__(self, server: Server, size: int = 40, *, show_deleted: bool = False, **options: Any) -> None:
        self.cloud = FaultySimulator(World(seed=3, size=size, show_deleted=show_deleted))
        self.world = self.cloud.world
        self.server, self.url = server, server.migrated()
        self.target = Target(self.url)
        self.inventory = Inventory(self.target, self.cloud, **options)
        self.connection = psycopg.connect(self.url, autocommit=True)
        self.past = Past()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.cloud.close()

    def run(self, **changes: Any) -> Outcome:
        """Sync once, with changed settings if given."""
        outcome = self.inventory.run(**changes)
        self.check()
        if outcome.proven and not (outcome.reason or outcome.pending or outcome.still_there or outcome.quarantined):
            assert outcome.effective_at is not None
            assert truth(self.connection, outcome.source, self.world.truth().values(), outcome.effective_at) == []
        return outcome

    def run_unclear(self, **changes: Any) -> Outcome:
        """Sync once from a cloud that contradicts itself, so that there is no truth to compare with."""
        outcome = self.inventory.run(**changes)
        self.check()
        return outcome

    def fails(self, kind: type[E], **changes: Any) -> E:
        """Sync, which must fail with this error."""
        error = self.inventory.fails(kind, **changes)
        self.check()
        return error

    def run_unproven(self, **changes: Any) -> Outcome:
        """Sync once from a list that cannot be proven: in pages, in the wrong order, without a total."""
        self.cloud.listing.page_cap = 20
        self.cloud.faults.add(Effect("unsorted", ask=lambda query: replace(query, descending=True)), times=None)
        self.cloud.faults.add(effects.total_missing(), times=None)
        outcome = self.run(**changes)
        self.cloud.listing.page_cap = None
        self.cloud.faults.clear()
        assert not outcome.proven
        return outcome

    def check(self) -> None:
        """Check that no invariant is violated and that the past is unchanged."""
        broken = check(self.connection)
        assert broken == [], broken
        assert self.past.check(self.connection) == []

    @contextmanager
    def parts(self, url: str = "", **changes: Any) -> Iterator[tuple[Database, wiring.Parts]]:
        """The parts of one run, for a test that acts between its steps."""
        source = replace(self.inventory.source, **changes)
        with (
            Database(Target(url or self.url)) as store,
            wiring.parts(source, store, self.inventory.stop) as parts,
        ):
            yield store, parts

    def run_by(self, url: str, **changes: Any) -> Outcome:
        """Sync once over another URL of the database."""
        with self.parts(url, **changes) as (_, parts):
            return runner.sync(parts, "command")

    def rows(self, query: str, *facts: Any) -> list[tuple[Any, ...]]:
        """The rows that a query returns."""
        return self.connection.execute(query, facts or None).fetchall()

    def value(self, query: str, *facts: Any) -> Any:
        """The single value that a query returns."""
        return self.rows(query, *facts)[0][0]

    def do(self, statement: str, *facts: Any) -> None:
        """Run a statement."""
        self.connection.execute(statement, facts or None)

    def reseal(self) -> None:
        """Recompute the digests of runs whose records a test moved in time."""
        for (run,) in self.rows("SELECT run FROM inventory.runs WHERE effective_at IS NOT NULL ORDER BY effective_at"):
            self.do(
                "UPDATE inventory.runs r SET digest = inventory.run_digest(r, (SELECT p.digest FROM inventory.runs p "
                "WHERE p.source = r.source AND p.effective_at < r.effective_at ORDER BY p.effective_at DESC LIMIT 1)) "
                "WHERE run = %s",
                run,
            )

    @property
    def record(self) -> dict[str, Any]:
        """The record of the last run."""
        return self.inventory.last_run()
