"""The schema is made by migrations alone, up and down, with rows in it, by one process at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from checkout import CHECKOUT
from proxy import Proxy
from replay import played
from servers import Server, environment
from store_tools import Edge

from sync.domain.apis import column_comment
from sync.domain.fields import IMAGE_COLUMNS
from sync.errors import DatabaseBusyError, SchemaVersionError
from sync.store.connection import Target, connect
from sync.store.runs.database import Database
from sync.store.runs.dry_run import DryRun
from sync.store.schema import migrate
from sync.store.schema.columns import IdRange
from sync.store.schema.tables import SCHEMA, metadata

TABLES = {
    "sources",
    "runs",
    "run_pages",
    "images",
    "image_versions",
    "quarantine",
    "held_deletions",
    "missing_images",
    "findings",
    "prunings",
    "report_bookmarks",
}

# The whole schema in a form that can be compared.
SHAPE = """
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::text, col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'inventory'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'alembic_version'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', NULL
FROM pg_constraint WHERE connamespace = 'inventory'::regnamespace AND contype <> 'n'
  AND conrelid::regclass::text NOT LIKE '%alembic%'
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '', NULL FROM pg_indexes
WHERE schemaname = 'inventory' AND tablename <> 'alembic_version'
UNION ALL
SELECT 'table', relname, relkind::text, coalesce(reloptions::text, ''), '', '', obj_description(oid)
FROM pg_class WHERE relnamespace = 'inventory'::regnamespace AND relkind IN ('r', 'v') AND relname <> 'alembic_version'
UNION ALL
SELECT 'function', p.proname, '', pg_get_functiondef(p.oid), '', '', obj_description(p.oid)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'inventory'::regnamespace AND l.lanname <> 'internal' -- PostgreSQL's own, of the range type
UNION ALL
SELECT 'range', r.rngtypid::regtype::text, r.rngsubtype::regtype::text, r.rngcollation::regcollation::text, '', '',
       obj_description(r.rngtypid) FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid
WHERE t.typnamespace = 'inventory'::regnamespace
ORDER BY 1, 2, 3
"""


# The first statement of the first migration takes nearly half a second.
SLOW_DDL = """
CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.4); END';
CREATE EVENT TRIGGER slow ON ddl_command_start WHEN tag IN ('CREATE SCHEMA') EXECUTE FUNCTION slow();
"""


@pytest.fixture
def empty(each_server: Server) -> Target:
    """A new database without an inventory."""
    return Target(each_server.empty(), lock_timeout=0.3)


@pytest.fixture
def connection(empty: Target) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the empty database."""
    with connect(empty) as opened:
        yield opened


def shape(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """The schema as the database describes it."""
    return connection.execute(SHAPE).fetchall()


KEYS = """
SELECT c.relname || ' ' || i.indexrelid::regclass, (
    SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0])
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE i.indisunique AND c.relnamespace = 'inventory'::regnamespace
UNION ALL
SELECT c.conrelid::regclass || ' ' || c.conname, a.attname
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.connamespace = 'inventory'::regnamespace
"""
# What each object depends on, where a view's rule and a row type count as their relation, and a relation depends on the
# views over it: moving a table means moving these too, and first creating what they depend on.
CIRCLES = """
WITH RECURSIVE objects AS (
    SELECT d.classid, d.objid, d.refclassid, d.refobjid FROM pg_depend d
    WHERE d.deptype IN ('n', 'a', 'i') AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass)
),
named AS (
    SELECT CASE WHEN o.classid = 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite WHERE oid = o.objid)
                WHEN o.classid = 'pg_type'::regclass
                THEN coalesce((SELECT nullif(typrelid, 0) FROM pg_type WHERE oid = o.objid), o.objid)
                ELSE o.objid END AS upper,
           CASE WHEN o.refclassid = 'pg_type'::regclass
                THEN coalesce((SELECT nullif(typrelid, 0) FROM pg_type WHERE oid = o.refobjid), o.refobjid)
                ELSE o.refobjid END AS lower
    FROM objects o
),
stands AS (
    SELECT DISTINCT upper, lower FROM named WHERE upper <> lower
    UNION SELECT n.lower, n.upper FROM named n JOIN pg_class t ON t.oid = n.lower AND t.relkind IN ('r', 'v')
                                             JOIN pg_class v ON v.oid = n.upper AND v.relkind = 'v'
),
walk AS (
    SELECT t.oid AS origin, s.lower AS place FROM pg_class t JOIN stands s ON s.upper = t.oid
    WHERE t.relkind = 'r' AND t.relnamespace = 'inventory'::regnamespace
    UNION SELECT w.origin, s.lower FROM walk w JOIN stands s ON s.upper = w.place
)
SELECT DISTINCT w.origin::regclass::text, p.proname::text
FROM walk w JOIN pg_proc p ON p.oid = w.place JOIN stands s ON s.upper = p.oid
JOIN pg_class c ON c.oid = s.lower AND c.relkind IN ('r', 'v')
WHERE c.relnamespace = 'inventory'::regnamespace
"""


def test_every_key_begins_with_the_source(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """All primary, unique and foreign keys begin with the source, so that tables can be distributed by it."""
    migrate.upgrade(empty)
    keys = dict(connection.execute(KEYS).fetchall())

    del keys["alembic_version inventory.alembic_version_pkc"]
    assert keys.pop("sources inventory.sources_pkey") == "name"
    assert len(keys) > 15
    assert {key: first for key, first in keys.items() if first != "source"} == {}


def test_no_dependency_circles(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """No view over a table calls a function that takes its rows, as no order to create them in would exist."""
    migrate.upgrade(empty)

    assert connection.execute(CIRCLES).fetchall() == []

    connection.execute("""
        CREATE FUNCTION inventory.title(inventory.image_history) RETURNS text LANGUAGE sql AS 'SELECT $1.name';
        CREATE VIEW inventory.titles AS SELECT inventory.title(h) FROM inventory.image_history h
    """)
    assert ("inventory.images", "title") in connection.execute(CIRCLES).fetchall()


def test_the_version_type_has_the_columns_of_the_history(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """The type that functions take equals a row of ``image_history``, column by column."""
    migrate.upgrade(empty)
    columns = "SELECT attname, atttypid::regtype::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"

    value, view = (
        connection.execute(f"{columns} ORDER BY attnum", [f"inventory.{name}"]).fetchall()
        for name in ("image_version", "image_history")
    )
    assert value == view


def test_up_down_and_up_again(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """Downgrading leaves nothing of the inventory, and upgrading again gives exactly the same schema."""
    migrate.upgrade(empty)
    first = shape(connection)
    migrate.downgrade(empty, "base")

    assert shape(connection) == []
    assert migrate.current(connection) is None

    migrate.upgrade(empty)

    assert shape(connection) == first
    assert migrate.current(connection) == migrate.head()


def test_every_migration_keeps_the_rows(each_server: Server) -> None:
    """Each migration but the first can be undone and repeated without losing a row."""
    with Edge(each_server, 30) as edge:
        edge.run()
        edge.world.put(b'{"name":"nameless"}')
        edge.world.churn(20)
        edge.run()
        revisions = migrate.revisions()

        for below, revision in zip(["base", *revisions], revisions, strict=False):
            if below == "base":
                continue
            before = edge.inventory.dump()
            migrate.downgrade(edge.target, below)
            assert migrate.current(edge.connection) == below
            migrate.upgrade(edge.target, revision)
            assert edge.inventory.dump() == before
        migrate.downgrade(edge.target, "base")
        migrate.upgrade(edge.target)

        assert edge.value("SELECT count(*) FROM inventory.images") == 0


def test_tables_match_the_code(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """Migrations and code agree on types, defaults, constraints, indexes and comments."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - only here
    from alembic.migration import MigrationContext  # noqa: PLC0415 - only here
    from sqlalchemy import create_engine, pool  # noqa: PLC0415 - only here
    from sqlalchemy.dialects.postgresql.base import ischema_names  # noqa: PLC0415 - only here

    migrate.upgrade(empty)
    ischema_names["inventory.id_range"] = IdRange
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(empty.url), poolclass=pool.NullPool)
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
        "version_table_schema": SCHEMA,
        "compare_server_default": True,
        "compare_type": True,
    }
    with engine.connect() as opened:
        differences = compare_metadata(MigrationContext.configure(opened, opts=options), metadata)

    assert differences == []
    migrated = shape(connection)
    connection.execute("DROP SCHEMA inventory CASCADE; CREATE SCHEMA inventory")
    with engine.begin() as opened:
        metadata.create_all(opened)

    from_code = shape(connection)
    ours = ("constraint", "index", "range")
    assert [row[:-1] for row in migrated if row[0] in ours or row[1] in TABLES] == [row[:-1] for row in from_code]
    comments = {row[:3]: row[-1] for row in from_code if row[0] != "range"}
    assert comments == {row[:3]: row[-1] for row in migrated if row[:3] in comments}


def test_everything_has_a_comment(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """Every table, view, column and function has a comment; columns of images name the API's field."""
    migrate.upgrade(empty)
    rows = [row for row in shape(connection) if row[0] in ("column", "table", "function", "range")]

    assert [row[:3] for row in rows if not row[-1]] == []
    assert {row[1] for row in rows if row[0] == "table"} >= TABLES
    comments = {(row[1], row[2]): row[-1] for row in rows if row[0] == "column"}
    for column in IMAGE_COLUMNS:
        assert comments["images", column.name] == comments["image_versions", column.name] == column_comment(column)


def test_the_folder_of_migrations_is_found(tmp_path: Path) -> None:
    """The migrations are found from any working directory."""
    code = "from sync.store.schema import migrate; print(migrate.head(), 'CREATE TABLE inventory.images' in migrate.offline_sql())"
    environ = environment(PYTHONPATH=str(CHECKOUT))

    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, check=True)

    assert result.stdout.decode().split() == [migrate.head(), "True"]


def test_the_sql_for_review_does_the_same(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """Running the output of `db upgrade --sql` by hand makes the same schema as the program."""
    connection.execute(migrate.offline_sql())  # type: ignore[arg-type]
    by_hand = shape(connection)
    migrate.check(connection)
    connection.execute("DROP SCHEMA inventory CASCADE")
    migrate.upgrade(empty)

    assert by_hand == shape(connection)


def test_migrating_twice_changes_nothing(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """Upgrading a current schema changes nothing."""
    migrate.upgrade(empty)
    before = connection.execute("SELECT max(xmin::text::bigint) FROM pg_class").fetchone()

    migrate.upgrade(empty)

    assert connection.execute("SELECT max(xmin::text::bigint) FROM pg_class").fetchone() == before


def test_processes_migrate_one_at_a_time(each_server: Server) -> None:
    """Three processes that prepare one empty database at once all succeed."""
    url = each_server.empty()
    code = (
        "import sys; from sync.store.connection import Target; from sync.store.runs.database import Database\n"
        "with Database(Target(sys.argv[1])) as store: store.prepare()"
    )
    environ = environment(PYTHONPATH=str(CHECKOUT))
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], env=environ, stderr=subprocess.PIPE) for _ in range(3)
    ]
    errors = [process.communicate()[1].decode() for process in started]

    assert [process.returncode for process in started] == [0, 0, 0], errors
    with psycopg.connect(url) as opened:
        assert opened.execute("SELECT version_num FROM inventory.alembic_version").fetchall() == [(migrate.head(),)]


def test_a_lock_does_not_keep_a_migration_waiting(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """D04: a migration fails soon if another session locks a table, and changes nothing."""
    migrate.upgrade(empty)
    before = shape(connection)
    with psycopg.connect(empty.url) as other:
        other.execute("LOCK TABLE inventory.images IN ACCESS SHARE MODE")
        with pytest.raises(DatabaseBusyError, match="migrating the schema"):
            migrate.downgrade(empty, "base")

    assert shape(connection) == before
    migrate.check(connection)


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("0003", "made by an unreleased version of this program (revision 0003)"),
        ("9999", "revision 9999, which this program does not know; it was made by a newer one"),
    ],
)
def test_another_version_is_refused(each_server: Server, revision: str, message: str) -> None:
    """D16: a run and a plan refuse a schema of another version, name it, and write nothing."""
    with Edge(each_server, 5) as edge:
        edge.run()
        edge.do("UPDATE inventory.alembic_version SET version_num = %s", revision)
        before = edge.inventory.dump()

        for kind in (Database, DryRun):
            with kind(edge.target) as store, pytest.raises(SchemaVersionError) as caught:
                store.prepare()
            assert message in str(caught.value)
            assert caught.value.exit_code == 2
        assert edge.inventory.dump() == before


@pytest.mark.parametrize(("revision", "message"), [("9999", "newer"), ("0003", "unreleased")])
def test_an_upgrade_of_an_unknown_schema_is_refused(each_server: Server, revision: str, message: str) -> None:
    """D16: a schema of a newer or unreleased program is not changed, and the error says so."""
    target = Target(each_server.migrated())
    with connect(target) as opened:
        opened.execute("UPDATE inventory.alembic_version SET version_num = %s", [revision])
        before = shape(opened)

        with pytest.raises(SchemaVersionError, match=f"revision {revision}.*{message}|{message}.*revision {revision}"):
            migrate.upgrade(target)

        assert shape(opened) == before


def test_a_plan_makes_no_schema(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """A plan does not create the schema."""
    with DryRun(empty) as store, pytest.raises(SchemaVersionError, match="no inventory yet"):
        store.prepare()

    assert connection.execute("SELECT to_regnamespace('inventory')").fetchone() == (None,)


def test_a_migration_that_fails_leaves_nothing(empty: Target, connection: psycopg.Connection[Any]) -> None:
    """A migration is one transaction: if it fails halfway, nothing has changed."""
    connection.execute("CREATE SCHEMA inventory CREATE TABLE run_pages (x int)")

    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(empty)

    assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'inventory'").fetchone() == (1,)
    connection.execute("DROP SCHEMA inventory CASCADE")
    migrate.upgrade(empty)
    migrate.check(connection)


def test_a_killed_migration_leaves_nothing(each_server: Server) -> None:
    """D16: after a migration is killed, the next one starts from the schema as it was before."""
    url = each_server.empty()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA inventory")
        with psycopg.connect(url) as holder:
            # The migration waits for this table's name and is killed while it waits.
            holder.execute("CREATE TABLE inventory.sources (x int)")
            code = (
                "import sys; from sync.store.schema import migrate; from sync.store.connection import Target\n"
                "migrate.upgrade(Target(sys.argv[1], lock_timeout=60))"
            )
            process = subprocess.Popen([sys.executable, "-c", code, url], env=environment(PYTHONPATH=str(CHECKOUT)))
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            while admin.execute(waiting).fetchone() == (0,):
                assert process.poll() is None
            process.kill()
            process.wait()
            holder.rollback()
    target = Target(url)

    migrate.upgrade(target)

    with connect(target) as opened:
        migrate.check(opened)


@pytest.mark.parametrize("between", [False, True], ids=["into nothing", "over a run in between"])
def test_a_dump_restores_to_an_equal_history(each_server: Server, *, between: bool) -> None:
    """``pg_dump`` and ``pg_restore`` keep the exact schema, every row and every answer, and syncing continues."""
    with played(each_server, 9) as (edge, replay):
        file, url = str(each_server.folder / "dump"), each_server.empty()
        each_server.run("pg_dump", "--format", "custom", "--file", file, edge.url)
        if between:  # as docs/operating.md says
            migrate.upgrade(Target(url))
            edge.run_by(url)
        options = ("--clean", "--if-exists", "--single-transaction") if between else ("--exit-on-error",)
        each_server.run("pg_restore", *options, "--dbname", url, file)

        with connect(Target(url)) as restored:
            assert shape(restored) == shape(edge.connection)
            for table in sorted(TABLES):
                query = f"SELECT * FROM inventory.{table} AS t ORDER BY t::text".encode()
                assert restored.execute(query).fetchall() == edge.connection.execute(query).fetchall()
            for moment in replay.moments:
                ids = restored.execute("SELECT id FROM inventory.images_as_of(%s)", [moment]).fetchall()
                assert {row[0] for row in ids} == replay.at(moment).keys()
        edge.world.churn(30)
        assert edge.run_by(url).plan.changes > 0


def test_an_administrator_may_make_the_schema(each_server: Server) -> None:
    """The owner of the schema upgrades it without the right to create schemas; again, and nothing is to be done."""
    url = each_server.empty()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE schema_owner LOGIN; CREATE SCHEMA inventory AUTHORIZATION schema_owner")
        migrate.upgrade(Target(url.replace("owner@", "schema_owner@")))
        migrate.upgrade(Target(url.replace("owner@", "schema_owner@")))

        migrate.check(admin)
        admin.execute("DROP OWNED BY schema_owner CASCADE; DROP ROLE schema_owner")


def test_the_statement_timeout_of_the_settings_holds(each_server: Server) -> None:
    """A migration's statements may take as long as the settings say, whatever the database says."""
    target = Target(each_server.empty())
    with psycopg.connect(target.url, autocommit=True) as admin:
        admin.execute(SLOW_DDL)
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET statement_timeout = '300ms'".encode())
        with pytest.raises(DatabaseBusyError, match="raise statement_timeout"):
            migrate.upgrade(replace(target, statement_timeout=0.2))
        migrate.upgrade(target)

        migrate.check(admin)


def test_a_migration_leaves_nothing_in_its_session(server: Server) -> None:
    """Its lock and its settings belong to its one transaction, as a pooler gives each to any session."""
    url, statements = server.empty(), list[str]()
    with Proxy(url) as proxy:
        proxy.before = lambda passing: statements.append(passing.statement)
        migrate.upgrade(Target(proxy.url))

    locks = [n for n, statement in enumerate(statements) if "pg_advisory" in statement]
    last = max(n for n, statement in enumerate(statements) if statement == "COMMIT")
    assert [statements[n] for n in locks] == ["SELECT pg_advisory_xact_lock($1)"]
    begin = max(n for n, statement in enumerate(statements[: locks[0]]) if statement.startswith("BEGIN"))
    assert set(statements[begin + 1 : last]).isdisjoint({"COMMIT", "ROLLBACK"})
    assert [statement for statement in statements[last + 1 :] if statement != "ROLLBACK"] == []
    assert not [statement for statement in statements if "false)" in statement and "set_config" in statement]
