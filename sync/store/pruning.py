"""Removes history that is older than wanted: never the current state, and never without a record."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from sync.errors import UnknownError, UsageError
from sync.store.connection import Target, connect, transaction

_SOURCES = "SELECT name FROM inventory.sources ORDER BY name"
_MAY = "SELECT has_table_privilege('inventory.image_versions', 'DELETE')"
_BEFORE = "SELECT clock_timestamp() - %(keep)s * interval '1 second'"
_VERSIONS = "FROM inventory.image_versions WHERE source = %(source)s AND valid_to <= %(before)s"
_PAGES = """
FROM inventory.run_pages WHERE source = %(source)s AND run IN (
    SELECT run FROM inventory.runs WHERE source = %(source)s AND effective_at <= %(before)s)
"""
_REMEMBER = """
UPDATE inventory.sources SET pruned_before = greatest(pruned_before, %(before)s) WHERE name = %(source)s
"""
_RECORD = """
INSERT INTO inventory.prunings (source, pruned_before, versions, pages, pruned_by)
VALUES (%(source)s, %(before)s, %(versions)s, %(pages)s, %(who)s)
"""


class Pruned(NamedTuple):
    """What was removed of one source, or would be.

    Attributes:
        source: its name.
        pruned_before: history before this moment is incomplete from then on.
        versions: versions of images that had ended by then.
        pages: rows of evidence of runs that took effect by then.
    """

    source: str
    pruned_before: datetime
    versions: int
    pages: int


def ago(target: Target, keep: float) -> datetime:
    """The moment so many seconds ago, by the database's clock."""
    with connect(target) as connection, transaction(connection, target, "reading the time"):
        row: Any = connection.execute(_BEFORE, {"keep": keep}).fetchone()
    moment: datetime = row[0]
    return moment


def prune(target: Target, before: datetime, who: str, *, only: Collection[str] = (), remove: bool) -> list[Pruned]:
    """Remove what had ended by a moment, in one transaction; or only count it.

    Whatever is asked of a later moment is answered as before.

    Args:
        target: where the database is.
        before: the moment.
        who: does it; for the record.
        only: names of sources; empty is all of them.
        remove: whether to do it.

    Raises:
        UnknownError: there is no such source.
        UsageError: this user may not.
        StoreError: it can't be done; nothing was removed.
    """
    with connect(target) as connection, transaction(connection, target, "pruning the history"):
        names = [str(row[0]) for row in connection.execute(_SOURCES)]
        _check(only, names)
        if remove and connection.execute(_MAY).fetchone() != (True,):
            raise UsageError("this user may not remove history; prune as the owner of the schema, who ran `db upgrade`")
        wanted = [name for name in names if name in only or not only]
        return [_prune(connection, name, before, who, remove=remove) for name in wanted]


def _prune(connection: psycopg.Connection[Any], source: str, before: datetime, who: str, *, remove: bool) -> Pruned:
    facts: dict[str, Any] = {"source": source, "before": before}
    if not remove:
        counts = [
            connection.execute(f"SELECT count(*) {what}".encode(), facts).fetchone() for what in (_VERSIONS, _PAGES)
        ]
        return Pruned(source, before, *(row[0] if row else 0 for row in counts))
    versions, pages = (connection.execute(f"DELETE {what}".encode(), facts).rowcount for what in (_VERSIONS, _PAGES))
    if versions or pages:
        connection.execute(_REMEMBER, facts)
        connection.execute(_RECORD, facts | {"versions": versions, "pages": pages, "who": who})
    return Pruned(source, before, versions, pages)


def _check(only: Collection[str], known: Collection[str]) -> None:
    for name in only:
        if name not in known:
            raise UnknownError(f"there is no source {name} in the database; it knows {', '.join(known) or 'none yet'}")
