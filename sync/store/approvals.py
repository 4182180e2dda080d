"""What a person may release: held deletions, and a changed filter."""

from __future__ import annotations

from typing import Any

from sync.errors import UnknownError
from sync.store.connection import Target, connect, transaction
from sync.store.waiting import Connection

_APPROVE = """
UPDATE inventory.held_deletions SET approved_at = clock_timestamp(), approved_by = %(who)s
WHERE run = %(run)s AND closed_at IS NULL AND approved_at IS NULL
"""
_OPEN = """
SELECT DISTINCT run FROM inventory.held_deletions WHERE closed_at IS NULL AND approved_at IS NULL ORDER BY run
"""
_ACCEPT_FILTER = "UPDATE inventory.sources SET filter = %(filter)s WHERE name = %(source)s AND filter <> %(filter)s"


def approve(target: Target, run: int, who: str) -> int:
    """Release the deletions that a run withheld; exactly those, once, and the next run still confirms each.

    Returns:
        how many were released.

    Raises:
        UnknownError: the run withheld none that are still open.
    """
    with connect(target) as connection:
        count = _change(connection, target, _APPROVE, {"run": run, "who": who})
        if not count:
            with transaction(connection, target, "looking for what waits"):
                waiting = ", ".join(str(row[0]) for row in connection.execute(_OPEN)) or "none at all"
            raise UnknownError(f"run {run} withheld no deletion that still waits; those that do are of run {waiting}")
    return count


def accept_filter(target: Target, source: str, filter: str) -> None:
    """Take the filter of the settings as the one the inventory of a source is made with from now on.

    Raises:
        UnknownError: the source is not in the database, or its filter did not change.
    """
    with connect(target) as connection:
        if not _change(connection, target, _ACCEPT_FILTER, {"source": source, "filter": filter}):
            raise UnknownError(f"there is nothing to accept: the filter of source {source} did not change")


def _change(connection: Connection, target: Target, statement: str, facts: dict[str, Any]) -> int:
    with transaction(connection, target, "recording the approval"):
        return connection.execute(statement, facts).rowcount
