"""What each role may do: a reader reads, a writer syncs, and neither can lose anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from checkout import CHECKOUT
from cli_tools import Job
from psycopg import errors
from servers import Server, environment
from store_tools import Edge

from sync.store.connection import Target, connect
from sync.store.schema import migrate
from sync.store.schema.roles import READER, WRITER

OBJECTS = """
SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'inventory'::regnamespace AND relkind IN ('r', 'v')
"""
FORBIDDEN = (
    "DELETE FROM inventory.images",
    "TRUNCATE inventory.image_versions CASCADE",
    "DROP VIEW inventory.live_images",
    "ALTER TABLE inventory.images ADD x int",
    "CREATE TABLE inventory.mine (x int)",
    "UPDATE inventory.image_versions SET name = 'x'",
    "UPDATE inventory.alembic_version SET version_num = '0001'",
)


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """An inventory after two runs."""
    with Edge(each_server, 20) as edge:
        edge.run()
        edge.world.churn(10)
        edge.run()
        yield edge


def login(edge: Edge, role: str) -> str:
    """Create a user with only this role, and return the URL to log in with."""
    name = f"user_of_{role}"
    edge.do(f"DO $$ BEGIN CREATE ROLE {name} LOGIN IN ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    return edge.url.replace("owner@", f"{name}@")


def test_a_writer_syncs(edge: Edge) -> None:
    """The writer's privileges are enough for a run with creations, updates, deletions and quarantine."""
    url = login(edge, WRITER)
    edge.world.churn(10)
    edge.world.put(b'{"id":"broken","name":"\\u0000"}')

    outcome = edge.run_by(url)

    assert outcome.plan.changes > 0
    edge.check()


@pytest.mark.parametrize("role", [READER, WRITER])
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_neither_can_lose_anything(edge: Edge, role: str, statement: str) -> None:
    """Neither role may delete, truncate, change tables, or change history."""
    with psycopg.connect(login(edge, role), autocommit=True) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_a_reader_reads_all_of_it(edge: Edge) -> None:
    """A reader may read every table, view and function, and write nothing."""
    with psycopg.connect(login(edge, READER), autocommit=True) as connection:
        for name, _ in connection.execute(OBJECTS).fetchall():
            connection.execute(f"SELECT * FROM inventory.{name} LIMIT 1".encode())
        assert connection.execute("SELECT count(*) FROM inventory.images_as_of(now())").fetchone() == (
            edge.value("SELECT count(*) FROM inventory.live_images"),
        )
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("INSERT INTO inventory.findings SELECT * FROM inventory.findings")


def test_a_reader_on_the_command_line(edge: Edge, tmp_path: Path) -> None:
    """A reader's login is enough for status, as-of, diff and verify."""
    job = Job(tmp_path, login(edge, READER))

    codes = [job(*command).code for command in (["status"], ["as-of", "now"], ["diff", "last"], ["verify"])]

    assert codes == [0] * 4


def test_the_reader_role_has_limits(edge: Edge) -> None:
    """Sessions of the reader role itself are read-only, and their statements end after a minute."""
    query = "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = %s"

    assert {row[0] for row in edge.rows(query, READER)} == {
        "statement_timeout=60s",
        "default_transaction_read_only=on",
    }


def test_a_migration_without_the_right_to_create_roles(server: Server, tmp_path: Path) -> None:
    """Without the right to create roles the schema is made all the same, and the output says what is missing."""
    url = server.empty()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DO $$ BEGIN CREATE ROLE humble LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        name = url.rpartition("/")[2]
        admin.execute(f"GRANT CREATE ON DATABASE {name} TO humble".encode())
        for role in (READER, WRITER):
            admin.execute(f"ALTER ROLE {role} RENAME TO {role}_away".encode())
        try:
            done = Job(tmp_path, url.replace("owner@", "humble@"))("db", "upgrade")
            with connect(Target(url)) as connection:
                missing = migrate.missing_roles(connection)
        finally:
            for role in (READER, WRITER):
                admin.execute(f"ALTER ROLE {role}_away RENAME TO {role}".encode())

    assert done.code == 0
    assert missing == [READER, WRITER]
    assert f"CREATE ROLE {READER}" in done.err


def test_several_databases_of_a_server_are_migrated_at_once(server: Server) -> None:
    """Concurrent migrations of several databases on one server, which share roles, all succeed."""
    urls = [server.empty() for _ in range(3)]
    code = "import sys; from sync.store.schema import migrate; from sync.store.connection import Target; migrate.upgrade(Target(sys.argv[1]))"
    environ = environment(PYTHONPATH=str(CHECKOUT))
    started = [subprocess.Popen([sys.executable, "-c", code, url], env=environ, stderr=subprocess.PIPE) for url in urls]

    errors = [process.communicate()[1].decode() for process in started]

    assert [process.returncode for process in started] == [0, 0, 0], errors
