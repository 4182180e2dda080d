"""The questions to a grown history, all in one place: through the database's own functions where it has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

import psycopg

from sync.store.connection import Target
from sync.store.queries.inventory import Inventory, inventory

SOURCE = "default"
_TRIES = 3
_HAS = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'inventory'::regnamespace AND proname = %s"
_MOMENTS = "SELECT run, effective_at FROM inventory.runs WHERE effective_at IS NOT NULL ORDER BY run"
_AS_OF = "SELECT count(*) FROM inventory.images_as_of(%s, %s)"
_DIFF = "SELECT count(*) FROM inventory.images_diff(%s, %s, %s)"
_SIZE = """
    SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
    WHERE relnamespace = 'inventory'::regnamespace AND relkind IN ('r', 'm')
"""


class Answer(NamedTuple):
    """How long an answer takes, all its rows fetched or counted, and how many there are."""

    seconds: float
    rows: int


class Questions:
    """Asks one database.

    Attributes:
        how: what answers.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = psycopg.connect(url, autocommit=True)
        has = all(self._one(_HAS, name) for name in ("images_as_of", "images_diff"))
        self.how = "SQL functions" if has else "image-sync's reading queries, each row brought to Python"
        self._ask_as_of, self._ask_diff = (self._sql_as_of, self._sql_diff) if has else (self._as_of, self._diff)

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def bytes(self) -> int:
        """Size on disk of the schema."""
        return int(self._one(_SIZE))

    def moments(self) -> list[datetime]:
        """When each run took effect, the oldest first."""
        return [moment for _run, moment in self._connection.execute(_MOMENTS)]

    def as_of(self, moment: datetime) -> Answer:
        """The images at a moment."""
        return _timed(lambda: self._ask_as_of(moment))

    def diff(self, before: datetime, after: datetime) -> Answer:
        """What changed between two moments."""
        return _timed(lambda: self._ask_diff(before, after))

    def _sql_as_of(self, moment: datetime) -> int:
        return int(self._one(_AS_OF, moment, SOURCE))

    def _sql_diff(self, before: datetime, after: datetime) -> int:
        return int(self._one(_DIFF, before, after, SOURCE))

    def _as_of(self, moment: datetime) -> int:
        with self._reading() as own:
            return _count(own.as_of(moment, SOURCE))

    def _diff(self, before: datetime, after: datetime) -> int:
        with self._reading() as own:
            return _count(own.diff(before, after, SOURCE))

    def _reading(self) -> AbstractContextManager[Inventory]:
        return inventory(Target(self._url))

    def _one(self, statement: str, *values: Any) -> Any:
        return (self._connection.execute(statement.encode(), values).fetchone() or (None,))[0]


def _timed(ask: Callable[[], int]) -> Answer:
    """The median of some tries, on a warm cache."""
    took, rows = [], 0
    for _ in range(_TRIES):
        started = time.perf_counter()
        rows = ask()
        took.append(time.perf_counter() - started)
    return Answer(median(took), rows)


def _count(rows: Iterable[Any]) -> int:
    return sum(1 for _ in rows)
