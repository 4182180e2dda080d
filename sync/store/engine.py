"""SQLAlchemy on our own connections, for migrations and for the commands that read the inventory.

A run imports none of it: see docs/decisions/0001.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import DBAPIError

from sync.store import connection as ours
from sync.store import session
from sync.store.errors import to_store_error, translate_errors


@contextmanager
def engine_connection(own: ours.Connection, target: ours.Target, step: str) -> Iterator[Connection]:
    """Open a connection of SQLAlchemy's.

    Args:
        own: the connection beneath it, outside of a transaction; it is closed at the end.
        target: where that leads, and its limits.
        step: what it is for, for messages.

    Raises:
        StoreError: a statement failed.
    """

    def begun() -> ours.Connection:
        """Begin as each transaction does: SQLAlchemy asks questions of its own first, and rolls back after them."""
        with translate_errors(step, own):
            own.execute(session.BEGIN)
            own.execute(target.session_settings)
        return own

    engine = create_engine("postgresql+psycopg://", creator=begun, poolclass=pool.NullPool, use_native_hstore=False)
    # Errors are translated before the connection is closed, while it is known whether the server is a standby.
    with _translated(step, own), engine.connect() as connection, _translated(step, own):
        yield connection


@contextmanager
def _translated(step: str, own: ours.Connection) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise to_store_error(error.orig, step, own) from error
        raise
