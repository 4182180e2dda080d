"""Whether a connection pooler is between the program and the server, and in which mode."""

from __future__ import annotations

from dataclasses import replace

from sync.doctor.report import Lines, ok, warning
from sync.errors import StoreError
from sync.store.connection import Target, open_connection
from sync.store.queries.doctor import Inspection

_FOUND = "there is one in between (such as PgBouncer)"


def pooler_check(inspection: Inspection, target: Target) -> Lines[bool]:
    """Ask for the server's process, in transactions on two connections.

    A server gives the number of its process when it is connected to, and a pooler gives a number of its own. In
    transaction mode two connections share a process, or one has several; in session mode each keeps its own. In
    statement mode there is no transaction, which is an error.

    Raises:
        StoreError: the database can't be asked.
    """
    process = inspection.process()
    if process == inspection.connection.info.backend_pid:
        yield ok("none in between")
        return True
    try:
        with open_connection(target) as second:
            other = Inspection(second, replace(target, margin=0)).process()
            is_shared = process == other or process != inspection.process()
    except StoreError as error:
        yield warning(
            f"{_FOUND}, and a second connection can't be used beside the first: {error}",
            "raise the pooler's default_pool_size to more than `jobs`, or set pool_mode = transaction in it",
        )
        return True
    if is_shared:
        yield ok(f"{_FOUND}, in transaction mode")
    else:
        yield ok(f"{_FOUND}; each connection kept its process of the server, as in session mode")
    return True
