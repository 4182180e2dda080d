"""Compares what a statement wrote with what it had to write, so that no missing row goes unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from sync.errors import StoreError


def agree(written: int, planned: int, what: str) -> None:
    """Compare the number of rows that a statement wrote with the planned one.

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
    """Carry out a ``COPY ... FROM STDIN`` of the planned number of rows.

    Raises:
        StoreError: the database counts another number of rows.
    """
    with connection.cursor() as cursor:
        with cursor.copy(statement.encode()) as copy:
            yield copy
        agree(cursor.rowcount, planned, what)
