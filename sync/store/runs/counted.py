"""What a statement wrote, held against what it had to write: nothing may come back short unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from sync.errors import StoreError


def agree(written: int, planned: int, what: str) -> None:
    """Hold the rows that a statement wrote against those that were planned.

    Raises:
        StoreError: they differ, so the run must not commit.
    """
    if written != planned:
        raise StoreError(
            f"the database counts {written} {what}, and {planned} were planned; nothing was written; a trigger, a rule "
            "or a policy on the tables of schema inventory may be why"
        )


@contextmanager
def counted_copy(
    connection: psycopg.Connection[Any], statement: str, planned: int, what: str
) -> Iterator[psycopg.Copy]:
    """Carry out a ``COPY ... FROM STDIN`` of as many rows as planned.

    Raises:
        StoreError: the database counts another number of rows.
    """
    with connection.cursor() as cursor:
        with cursor.copy(statement.encode()) as copy:
            yield copy
        agree(cursor.rowcount, planned, what)
