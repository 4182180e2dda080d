"""Event triggers of others: they run at each DDL command, temporary tables included, and may make it fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from sync.errors import DatabaseBusyError, StoreError
from sync.store.connection import Target, connect, transaction

ADVICE = (
    "it runs at each DDL command, such as those of `db upgrade`, and for the temporary tables in which a run stages "
    "changes; have its owner leave out the role of the job, or temporary tables"
)
# Those of sessions that are not replicas.
_ENABLED = """
SELECT t.evtname, p.proname FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid
WHERE t.evtenabled IN ('O', 'A') AND t.evtevent <> 'login' ORDER BY t.evtname
"""


@contextmanager
def name_event_triggers(target: Target) -> Iterator[None]:
    """Name the event trigger that made a statement of the block fail, in place of advice that does not apply."""
    try:
        yield
    except StoreError as error:
        if error.context:
            names, step = "", "looking for event triggers"
            with suppress(StoreError), connect(target) as connection, transaction(connection, target, step):
                names = raised_by(connection, error.context)
            if names and isinstance(error, DatabaseBusyError):
                raise type(error)(f"{error}; it was in the event trigger {names}") from error.__cause__
            if names:
                message = f"{error.what}; this comes from the event trigger {names}: {ADVICE}"
                raise type(error)(message) from error.__cause__
        raise


def raised_by(connection: psycopg.Connection[Any], context: str) -> str:
    """The names of the event triggers whose function is in the context of an error, or ""."""
    return ", ".join(name for name, function in connection.execute(_ENABLED) if f"{function}(" in context)
