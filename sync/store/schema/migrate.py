"""Migrates the schema of a database to the revision that this program needs, or says why it does not fit.

The migrations are part of the installed package; in a checkout they are beside it. Alembic is slow to import, so a
run only compares one number and leaves the rest to ``upgrade``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from sync.errors import SchemaVersionError
from sync.store.connection import Connection, Over, Target, connect, never
from sync.store.errors import translate_errors
from sync.store.event_triggers import name_event_triggers
from sync.store.schema import roles

if TYPE_CHECKING:
    from alembic.config import Config

_TURN = 60.0  # seconds to wait for another migration
_LOCK = 4_611_686_018_427_387_905  # the advisory lock of a migration; any fixed number would do
# Revisions that were never released and no longer exist: no migration leads from them to the one of this program.
DRAFTS = frozenset({"0001", "0001.1", "0001.2", "0001.3", "0001.4", "0001.5", "0002", "0003"})


def revisions() -> list[str]:
    """All revisions that this program knows, from the first to the one it needs."""
    # Read without importing them, which would import Alembic.
    texts = (path.read_text(encoding="utf-8") for path in sorted((_folder() / "versions").glob("[0-9]*.py")))
    return [revision for text in texts for revision in re.findall(r'^revision = "([^"]+)"', text, re.MULTILINE)]


def head() -> str:
    """The revision this program needs: that of its last migration."""
    return revisions()[-1]


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision of a database, or None where there is no inventory yet."""
    with translate_errors("reading the version of the schema", connection):
        row = connection.execute("SELECT to_regclass('inventory.alembic_version')").fetchone()
        if row is None or row[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM inventory.alembic_version").fetchone()
        return str(row[0]) if row else None


def check(connection: psycopg.Connection[Any]) -> None:
    """Make sure that the schema is the one this program needs.

    Raises:
        SchemaVersionError: it is missing, older or newer.
    """
    revision, needed = current(connection), head()
    if revision == needed:
        return
    if revision is None:
        raise SchemaVersionError("the database holds no inventory yet; `image-sync db upgrade` makes it")
    _refuse_unknown(revision)
    raise SchemaVersionError(
        f"the schema is at revision {revision}, older than the {needed} of this program; run `image-sync db upgrade`"
    )


def upgrade(target: Target, revision: str = "head", *, over: Over = never) -> None:
    """Migrate, one process at a time.

    Args:
        target: where the database is.
        revision: the one to migrate to.
        over: whether to give up; called during each wait.

    Raises:
        SchemaVersionError: it is newer than the program.
        StoreError: it failed; nothing was changed.
    """
    _run(target, "upgrade", revision, over)


def missing_roles(connection: psycopg.Connection[Any]) -> list[str]:
    """The roles that do not exist, because whoever migrated may not create them."""
    with translate_errors("looking for the roles", connection):
        return [str(row[0]) for row in connection.execute(roles.MISSING)]


def downgrade(target: Target, revision: str) -> None:
    """Go back to an earlier revision; data that only later ones can hold is lost."""
    _run(target, "downgrade", revision)


def offline_sql() -> str:
    """The SQL of all migrations, for review."""
    import io

    from alembic import command  # takes a third of a second

    config = _config()
    config.output_buffer = sql = io.StringIO()
    command.upgrade(config, "head", sql=True)
    return sql.getvalue() + ";".join(roles.STATEMENTS) + ";\n"


def _refuse_unknown(revision: str | None) -> None:
    """Refuse a revision from which no migration leads to the one of this program."""
    if revision in DRAFTS:
        raise SchemaVersionError(
            f"the schema was made by an unreleased version of this program (revision {revision}) and can't be "
            "upgraded; to begin anew, drop it with DROP SCHEMA inventory CASCADE and run `image-sync db upgrade`: this "
            "deletes its history, so take a dump first if you need it"
        )
    if revision is not None and revision not in revisions():
        raise SchemaVersionError(
            f"the schema is at revision {revision}, which this program does not know; it was made by a newer one: "
            f"install that (this one needs {head()})"
        )


def _run(target: Target, verb: str, revision: str, over: Over = never) -> None:
    """Migrate in one transaction, to which its lock and settings belong: so a pooler may be in between."""
    from alembic import command  # takes a third of a second

    from sync.store.engine import engine_connection

    config = _config()
    with (
        connect(target, over) as own,
        name_event_triggers(target),
        engine_connection(own, target, "migrating the schema") as connection,
    ):
        connection.execution_options(isolation_level="READ COMMITTED")
        with connection.begin():
            _take_turn(own, target)
            config.attributes["connection"] = connection
            getattr(command, verb)(config, revision)
            for statement in roles.STATEMENTS if verb == "upgrade" else ():
                connection.exec_driver_sql(statement)


def _take_turn(connection: Connection, target: Target) -> None:
    """Wait until no other process migrates; then the usual limits hold."""
    with translate_errors("waiting for another migration", connection):
        connection.execute(replace(target, lock_timeout=_TURN, statement_timeout=0).session_settings)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute(target.session_settings)
    _refuse_unknown(current(connection))


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return config


def sql_folder() -> Path:
    """Where the views and functions are, one file each, by the revision that made them."""
    return _folder() / "sql"


def _folder() -> Path:
    package = Path(__file__).resolve().parents[2]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
