"""Writes outside of runs: what a person releases, and how far a reader has had reports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sync.errors import UnknownError
from sync.store.connection import Connection, Target, connect, transaction

_APPROVE = """
UPDATE inventory.held_deletions SET approved_at = clock_timestamp(), approved_by = %(who)s
WHERE run = %(run)s AND closed_at IS NULL AND approved_at IS NULL
"""
_OPEN = """
SELECT DISTINCT run FROM inventory.held_deletions WHERE closed_at IS NULL AND approved_at IS NULL ORDER BY run
"""
_ACCEPT_FILTER = "UPDATE inventory.sources SET filter = %(filter)s WHERE name = %(source)s AND filter <> %(filter)s"
_ACCEPT_SCOPE = "UPDATE inventory.sources SET scope = NULL WHERE name = %(source)s AND scope <> ''"
_REMEMBER = """
INSERT INTO inventory.report_bookmarks AS r (source, name, read_to) VALUES (%(source)s, %(name)s, %(read_to)s)
ON CONFLICT (source, name) DO UPDATE
SET read_to = greatest(r.read_to, excluded.read_to), read_at = clock_timestamp()
"""


def approve(target: Target, run: int, who: str) -> int:
    """Release the deletions that a run held: exactly those, once; the next run still confirms each.

    Returns:
        how many were released.

    Raises:
        UnknownError: the run held none that still wait.
    """
    with connect(target) as connection:
        count = _write(connection, target, "recording the approval", _APPROVE, run=run, who=who)
        if not count:
            with transaction(connection, target, "reading which deletions wait"):
                waiting = ", ".join(str(row[0]) for row in connection.execute(_OPEN)) or "none at all"
            raise UnknownError(
                f"run {run} withheld no deletion that still waits for approval; runs that did: {waiting}"
            )
    return count


def accept_filter(target: Target, source: str, filter: str) -> None:
    """Take the filter of the settings as the one of a source's inventory from now on.

    Raises:
        UnknownError: the source is not in the database, or its filter did not change.
    """
    with connect(target) as connection:
        if not _write(connection, target, "recording the approval", _ACCEPT_FILTER, source=source, filter=filter):
            raise UnknownError(f"there is nothing to accept: the filter of source {source} did not change")


def accept_scope(target: Target, source: str) -> None:
    """Have the next run of a source take the scope of its credentials as the one of the inventory.

    Raises:
        UnknownError: the source is not in the database, or its next run does so anyway.
    """
    with connect(target) as connection:
        if not _write(connection, target, "recording the approval", _ACCEPT_SCOPE, source=source):
            raise UnknownError(f"there is nothing to accept: source {source} has no scope on record")


def remember(target: Target, reader: str, source: str | None, read_to: datetime) -> None:
    """Record the moment up to which a reader has had reports; it never goes back.

    Raises:
        StoreError: it can't be written, for example because this user may not.
    """
    step = f"remembering where {reader} stopped"
    with connect(target) as connection:
        _write(connection, target, step, _REMEMBER, name=reader, source=source or "", read_to=read_to)


def _write(connection: Connection, target: Target, step: str, statement: str, **values: Any) -> int:
    with transaction(connection, target, step):
        return connection.execute(statement, values).rowcount
