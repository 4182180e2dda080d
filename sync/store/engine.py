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
from sync.store.errors import to_store_error


@contextmanager
def engine_connection(own: ours.Connection, step: str) -> Iterator[Connection]:
    """A connection of SQLAlchemy's.

    Args:
        own: the connection beneath it, which is closed at the end.
        step: what it is for, for messages.

    Raises:
        StoreError: a statement failed.
    """
    engine = create_engine("postgresql+psycopg://", creator=lambda: own, poolclass=pool.NullPool)
    with engine.connect() as connection:
        try:
            yield connection
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.Error):
                raise to_store_error(error.orig, step, own) from error
            raise
