"""SQLAlchemy's own questions depend on no state of a session: not on its settings, and not on which server answers."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from poolers import pooling
from proxy import Proxy
from servers import Server
from session_defaults import DEFAULTS, set_defaults

from sync.errors import DatabaseRefusedError, StoreError
from sync.store import session
from sync.store.connection import Target, connect
from sync.store.engine import engine_connection
from sync.store.queries.inventory import inventory
from sync.store.schema import migrate

# What a dialect finds out on its first connection and keeps.
LEARNED = ("server_version_info", "default_schema_name", "default_isolation_level", "_backslash_escapes")
SHADOWS = """
CREATE FUNCTION hostile.version() RETURNS text LANGUAGE sql AS 'SELECT ''PostgreSQL 9.1''';
CREATE FUNCTION hostile.current_schema() RETURNS name LANGUAGE sql AS 'SELECT name ''hostile''';
"""


def learned(target: Target) -> list[Any]:
    """What SQLAlchemy learns about a database."""
    with connect(target) as own, engine_connection(own, target, "looking") as connection:
        return [getattr(connection.dialect, name) for name in LEARNED]


def test_hostile_defaults_change_nothing(each_server: Server) -> None:
    """Settings and functions of the database do not change what SQLAlchemy learns about it."""
    plain, hostile = Target(each_server.empty()), Target(each_server.empty())
    set_defaults(hostile.url, DEFAULTS)
    with psycopg.connect(hostile.url, autocommit=True) as owner:
        owner.execute(SHADOWS)

    assert learned(hostile) == learned(plain)
    assert learned(plain)[1:] == ["pg_catalog", "READ COMMITTED", False]


def test_every_statement_is_in_a_transaction_with_our_settings(server: Server) -> None:
    """From the first statement on, whoever reads or migrates is in a transaction that begins with our settings."""
    statements: list[str] = []
    with Proxy(server.empty()) as proxy:
        proxy.before = lambda passing: statements.append(passing.statement)
        migrate.upgrade(Target(proxy.url))
        with inventory(Target(proxy.url)) as reading:
            reading.status()
            list(reading.as_of(reading.now(), None))

    inside, begun = False, 0
    for before, statement in zip(["", *statements], statements, strict=False):
        if statement.startswith("BEGIN"):
            inside, begun = True, begun + 1
            continue
        if before.startswith("BEGIN") and statement != session.SNAPSHOT:
            assert "pg_catalog.set_config('search_path'" in statement
        assert inside, statement
        inside = statement not in {"COMMIT", "ROLLBACK"}
    assert begun == 5


@pytest.mark.parametrize("kind", ["statement mode", "no server"])
def test_a_failure_of_its_first_questions(server: Server, kind: str) -> None:
    """A connection that does not get as far as SQLAlchemy's first question is an error of ours, and is closed."""
    options = {"pool_mode": "statement"} if kind == "statement mode" else {"query_wait_timeout": 1}
    direct = server.empty()
    with pooling(server, **options) as pooler:
        target = Target(pooler.url(direct))
        with connect(target) as own:
            if kind == "no server":
                pooler.console("PAUSE")
            with pytest.raises(StoreError) as caught, engine_connection(own, target, "looking"):
                pytest.fail("it got through")

    assert isinstance(caught.value, DatabaseRefusedError) == (kind == "statement mode")
    assert f"while looking: {caught.value.__cause__}" == str(caught.value)
    assert own.closed
