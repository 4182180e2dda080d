"""Where readers of reports stopped: the one thing that a report writes, and only for who asks for it by name."""

from __future__ import annotations

from datetime import datetime

from sync.store.connection import Target, connect, transaction
from sync.store.queries.inventory import Inventory

_STOPPED = "SELECT read_to FROM inventory.report_bookmarks WHERE source = :source AND name = :name"
_REMEMBER = """
INSERT INTO inventory.report_bookmarks AS r (source, name, read_to) VALUES (%(source)s, %(name)s, %(read_to)s)
ON CONFLICT (source, name) DO UPDATE
SET read_to = greatest(r.read_to, excluded.read_to), read_at = clock_timestamp()
"""


def stopped(inventory: Inventory, name: str, source: str | None) -> datetime | None:
    """The moment up to which a reader has had reports on a source, or on all of them; None if there was none yet."""
    rows = inventory.rows(_STOPPED, name=name, source=source or "")
    return rows[0]["read_to"] if rows else None


def remember(target: Target, name: str, source: str | None, read_to: datetime) -> None:
    """Put on record that a reader has had a report up to a moment; it never goes back.

    Raises:
        StoreError: it can't be written, as this user may not.
    """
    with connect(target) as connection, transaction(connection, target, f"remembering where {name} stopped"):
        connection.execute(_REMEMBER, {"name": name, "source": source or "", "read_to": read_to})
