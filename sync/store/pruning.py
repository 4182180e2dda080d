"""Removes old history: never the current state, and never without a record."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sync.errors import UnknownError, UsageError
from sync.store.connection import Connection, Target, connect, transaction

_SOURCES = "SELECT name FROM inventory.sources ORDER BY name"
_MAY = "SELECT has_table_privilege('inventory.image_versions', 'DELETE')"
_BEFORE = "SELECT clock_timestamp() - %(keep)s * interval '1 second'"
_VERSIONS = "FROM inventory.image_versions WHERE source = %(source)s AND valid_to <= %(before)s"
_PAGES = """
FROM inventory.run_pages WHERE source = %(source)s AND run IN (
    SELECT run FROM inventory.runs WHERE source = %(source)s AND effective_at <= %(before)s)
"""
_MARK = """
UPDATE inventory.sources SET pruned_before = greatest(pruned_before, %(before)s) WHERE name = %(source)s
"""
_RECORD = """
INSERT INTO inventory.prunings (source, pruned_before, versions, pages, pruned_by)
VALUES (%(source)s, %(before)s, %(versions)s, %(pages)s, %(who)s)
"""


class Pruned(NamedTuple):
    """The history of one source that was removed, or would be.

    Attributes:
        source: its name.
        pruned_before: history before this moment is incomplete afterwards.
        versions: versions of images that had ended by then.
        pages: rows of evidence of runs that took effect by then.
    """

    source: str
    pruned_before: datetime
    versions: int
    pages: int


def ago(target: Target, keep: float) -> datetime:
    """The moment this many seconds ago, by the database's clock."""
    with connect(target) as connection, transaction(connection, target, "reading the time"):
        (row,) = connection.execute(_BEFORE, {"keep": keep})
        moment: datetime = row[0]
        return moment


def prune(target: Target, before: datetime, who: str, *, only: Collection[str] = (), remove: bool) -> list[Pruned]:
    """Remove the history that had ended by a moment, in one transaction; or only count it.

    Answers about later moments stay the same.

    Args:
        target: where the database is.
        before: the moment.
        who: the person who prunes, for the record.
        only: names of sources; empty is all of them.
        remove: whether to remove it.

    Raises:
        UnknownError: there is no such source.
        UsageError: this user may not.
        StoreError: it failed; nothing was removed.
    """
    with connect(target) as connection, transaction(connection, target, "pruning the history"):
        names = [str(row[0]) for row in connection.execute(_SOURCES)]
        for name in only:
            if name not in names:
                known = ", ".join(names) or "none yet"
                raise UnknownError(f"there is no source {name} in the database; it knows {known}")
        if remove and connection.execute(_MAY).fetchone() != (True,):
            raise UsageError("this user may not remove history; prune as the owner of the schema, who ran `db upgrade`")
        chosen = [name for name in names if name in only or not only]
        return [_prune(connection, name, before, who, remove=remove) for name in chosen]


def _prune(connection: Connection, source: str, before: datetime, who: str, *, remove: bool) -> Pruned:
    values: dict[str, Any] = {"source": source, "before": before}
    if not remove:
        (row,) = connection.execute(
            f"SELECT (SELECT count(*) {_VERSIONS}), (SELECT count(*) {_PAGES})".encode(), values
        )
        return Pruned(source, before, *row)
    versions, pages = (connection.execute(f"DELETE {part}".encode(), values).rowcount for part in (_VERSIONS, _PAGES))
    if versions or pages:
        connection.execute(_MARK, values)
        connection.execute(_RECORD, values | {"versions": versions, "pages": pages, "who": who})
    return Pruned(source, before, versions, pages)
