"""``image-sync db``: the schema of the database, and a shell in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import click

from sync import wiring
from sync.embedded import default_folder, embedded
from sync.errors import UsageError
from sync.store import migrate
from sync.store.connect import connect, libpq_url


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.option("--sql", is_flag=True, help="Only print the SQL, for review.")
@click.pass_obj
def upgrade(config: Path | None, sql: bool) -> None:  # noqa: FBT001 - click's way
    """Bring the schema to what this program needs."""
    if sql:
        click.echo(migrate.offline_sql())
        return
    loaded = wiring.load(os.environ, config)
    with wiring.database(loaded, os.environ) as target:
        migrate.upgrade(target)
    click.echo(f"the schema is at revision {migrate.head()}", err=True)


@db.command()
@click.pass_obj
def check(config: Path | None) -> None:
    """Tell whether the schema is the one this program needs; exit 2 if not."""
    loaded = wiring.load(os.environ, config)
    with wiring.database(loaded, os.environ) as target, connect(target) as connection:
        migrate.check(connection)
    click.echo(f"the schema is at revision {migrate.head()}, as this program needs", err=True)


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(config: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql in the database; all further ARGUMENTS are psql's, such as -c 'SELECT ...'."""
    loaded = wiring.load(os.environ, config)
    if loaded.database_url is None:
        with embedded(loaded.data_folder or default_folder(os.environ)) as server:
            sys.exit(server.run("psql", *arguments))
    sys.exit(_external(loaded.database_url.reveal(), arguments))


def _external(url: str, arguments: tuple[str, ...]) -> int:
    """Run the psql of the machine; the password goes by environment, so that no process list shows it."""
    program = shutil.which("psql")
    if program is None:
        raise UsageError("there is no psql on this machine; install PostgreSQL's client")
    parts = urlsplit(libpq_url(url))
    environ = dict(os.environ)
    if parts.password is not None:
        environ["PGPASSWORD"] = unquote(parts.password)
        user, _, host = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    return subprocess.run([program, urlunsplit(parts), *arguments], env=environ, check=False).returncode  # noqa: S603
