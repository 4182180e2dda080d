"""The PostgreSQL that is measured against: the product's own server, in a folder that is removed afterwards."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import processes
from sync.embedded import embedded, wait_until_stopped

_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type IN ('client backend', 'parallel worker', 'autovacuum worker') AND pid <> pg_backend_pid()
"""
_ROWS = """
    SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY 1
"""
_PATIENCE = 60.0  # seconds until the server must be quiet

Rows = dict[str, tuple[int, int, int]]  # inserted, updated and deleted, by table


@dataclass
class Database:
    """The server, through a connection that does not take part in what is measured."""

    url: str
    name: str = ""
    _admin: psycopg.Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._admin = psycopg.connect(self.url, autocommit=True)

    def close(self) -> None:
        """Let go of the server."""
        self._admin.close()

    def one(self, statement: str) -> Any:
        """The first value of a query to the server as a whole."""
        return _first(self._admin, statement)

    def of(self, name: str) -> str:
        """The URL of a database of the server."""
        return self.url.replace("/image_sync?", f"/{name}?")

    def make(self, name: str) -> str:
        """Make an empty database in place of one that there may be; its URL."""
        self.drop(name)
        self._admin.execute(f'CREATE DATABASE "{name}"')
        return self.of(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is in it."""
        self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def settle(self, url: str) -> None:
        """Take from the next run what earlier ones left behind: dead rows, statistics, dirty pages."""
        with psycopg.connect(url, autocommit=True) as own:
            own.execute("VACUUM (ANALYZE)")
        self.quiet()
        self._admin.execute("CHECKPOINT")

    def quiet(self) -> None:
        """Wait until no one but us is connected; then all have told the statistics what they did."""
        deadline = time.monotonic() + _PATIENCE
        while self.one(_OTHERS):
            if time.monotonic() > deadline:
                raise TimeoutError("Someone stays connected to the server.")
            time.sleep(0.01)

    def wal(self) -> int:
        """Bytes of WAL that were ever written."""
        return int(self.one("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    def cpu(self) -> float:
        """Seconds of CPU that the server used so far, with all its processes, also those that have ended."""
        postmaster = processes.parent(int(self.one("SELECT pg_backend_pid()")))
        return processes.cpu(postmaster)


def rows(url: str) -> Rows:
    """Rows that were ever written, by table."""
    with psycopg.connect(url, autocommit=True) as own:
        return {table: (new, changed, gone) for table, new, changed, gone in own.execute(_ROWS)}


def ask(url: str, statement: str) -> tuple[Any, ...]:
    """The first row of a query."""
    with psycopg.connect(url, autocommit=True) as own:
        return own.execute(statement.encode()).fetchone() or ()


@contextmanager
def server(*, autovacuum: bool) -> Iterator[Database]:
    """Start a server for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="image-sync-bench-"))
    folder.chmod(0o711)  # root's server runs as another account, which must get through
    try:
        with embedded(folder / "data") as own:
            yield from _configured(own.url, autovacuum)
    finally:
        wait_until_stopped(folder / "data")
        shutil.rmtree(folder)


def _configured(url: str, autovacuum: bool) -> Iterator[Database]:  # noqa: FBT001 - its caller has it by name
    database = Database(url)
    try:
        if not autovacuum:  # it would fall into one peer's run or another's; ``settle`` stands in for it
            database.one("ALTER SYSTEM SET autovacuum = off")
            database.one("SELECT pg_reload_conf()")
        yield database
    finally:
        database.close()


def _first(connection: psycopg.Connection[Any], statement: str) -> Any:
    cursor = connection.execute(statement.encode())
    found = cursor.fetchone() if cursor.description else None
    return found[0] if found else None
