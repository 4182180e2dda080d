"""SQLAlchemy on our own connections, for migrations and for the commands that read the inventory.

A run imports none of it: see docs/decisions/0001.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import DBAPIError

from sync.store import connection as ours
from sync.store.errors import to_store_error


@contextmanager
def engine_connection(make: Callable[[], ours.Connection], step: str) -> Iterator[Connection]:
    """Open a connection of SQLAlchemy's.

    Args:
        make: opens the connection beneath it.
        step: what it is for, for messages.

    Raises:
        StoreError: it can't be opened, or a statement failed.
    """
    engine = create_engine("postgresql+psycopg://", creator=make, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise to_store_error(error.orig, step) from error
        raise
