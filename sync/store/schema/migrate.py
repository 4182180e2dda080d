"""Bring the schema of a database to what this program needs, or say why it does not fit.

The migrations are part of the installed package; in a checkout they stand beside it. Alembic is slow to import, so a
run only compares one number and leaves the rest to ``upgrade``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from sync.errors import SchemaVersionError
from sync.store.connection import Target, connect, open_connection, translate_errors
from sync.store.schema import roles
from sync.store.waiting import Connection, Over, never

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 4_611_686_018_427_387_905  # advisory lock of whoever migrates; any fixed number serves


# Revisions that were never released, and are no more: nothing leads from them to the one of this program.
DRAFTS = frozenset({"0001", "0001.1", "0001.2", "0002", "0003"})


def revisions() -> list[str]:
    """All revisions that this program knows, from the first to the one it needs."""
    return [_revision(path) for path in sorted((_folder() / "versions").glob("[0-9]*.py"))]


def head() -> str:
    """The revision this program needs: that of its last migration."""
    return revisions()[-1]


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision of a database, or None where there is no inventory yet."""
    with translate_errors("reading the version of the schema"):
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
    found, needed = current(connection), head()
    if found == needed:
        return
    if found is None:
        raise SchemaVersionError("the database holds no inventory yet; `image-sync db upgrade` makes it")
    _refuse_unknown(found)
    raise SchemaVersionError(
        f"the schema is at revision {found}, older than the {needed} of this program; run `image-sync db upgrade`"
    )


def upgrade(target: Target, revision: str = "head", *, over: Over = never) -> None:
    """Migrate, one process at a time; this may take as long as it takes, unless it is over.

    Args:
        target: where the database is.
        revision: to which.
        over: whether to give it up.

    Raises:
        SchemaVersionError: it is newer than the program.
        StoreError: it can't be done; nothing is changed then.
    """
    with connect(target, over) as guard:  # holds the lock; the migration has a connection of its own
        with translate_errors("waiting for another migration"):
            guard.execute("SELECT set_config('lock_timeout', '60s', false)")
            guard.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        _refuse_unknown(current(guard))
        _run(target, "upgrade", revision, over)


def missing_roles(connection: psycopg.Connection[Any]) -> list[str]:
    """The roles that do not exist, as whoever migrated may make none."""
    with translate_errors("looking for the roles"):
        return [str(row[0]) for row in connection.execute(roles.MISSING)]


def downgrade(target: Target, revision: str) -> None:
    """Go back to an earlier revision; what only later ones can hold is lost."""
    _run(target, "downgrade", revision)


def offline_sql() -> str:
    """The SQL of all migrations, for review."""
    import io

    from alembic import command  # takes a third of a second

    config = _config()
    config.output_buffer = sql = io.StringIO()
    command.upgrade(config, "head", sql=True)
    return sql.getvalue() + ";".join(roles.STATEMENTS) + ";\n"


def _refuse_unknown(found: str | None) -> None:
    """Refuse a revision from which no migration leads to the one of this program."""
    if found in DRAFTS:
        raise SchemaVersionError(
            f"the schema was made by an unreleased version of this program (revision {found}) and can't be upgraded; "
            "to begin anew, drop it with DROP SCHEMA inventory CASCADE and run `image-sync db upgrade`: its history is "
            "lost then, so take a dump first if you need it"
        )
    if found is not None and found not in revisions():
        raise SchemaVersionError(
            f"the schema is at revision {found}, which this program does not know; it was made by a newer one: "
            f"install that (this one needs {head()})"
        )


def _run(target: Target, verb: str, revision: str, over: Over = never) -> None:
    from alembic import command  # takes a third of a second
    from sqlalchemy import create_engine, pool
    from sqlalchemy.exc import DBAPIError

    config = _config()

    def connected() -> Connection:
        connection = open_connection(target, over)
        connection.autocommit = False
        return connection

    engine = create_engine("postgresql+psycopg://", creator=connected, poolclass=pool.NullPool)
    with translate_errors("migrating the schema"):
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(target.lock_timeout * 1000)}")
                config.attributes["connection"] = connection
                getattr(command, verb)(config, revision)
                if verb == "upgrade":
                    for statement in roles.STATEMENTS:
                        connection.exec_driver_sql(statement)
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.Error):
                raise error.orig from None
            raise


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return config


def sql_folder() -> Path:
    """Where the views and functions stand as they are, one file each, by the revision that made them."""
    return _folder() / "sql"


def _revision(path: Path) -> str:
    """Read the revision of a migration without importing it, which would import Alembic."""
    found = re.search(r'^revision = "([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else path.name


def _folder() -> Path:
    package = Path(__file__).resolve().parents[2]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
