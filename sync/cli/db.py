"""``image-sync db``: the schema of the database, and a shell in it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import click

from sync import wiring
from sync.embedded import default_folder, embedded
from sync.errors import UsageError
from sync.store.connection import connect, libpq_url, transaction
from sync.store.schema import migrate

NO_ROLE = (
    "the role {role} does not exist, and this user may not make it: have an administrator run CREATE ROLE {role}, "
    "then run this again"
)


class _Group(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "check":
            ctx.fail("`db check` is now `db status`")
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Group)
def db() -> None:
    """Look after the database."""


@db.command()
@click.option("--sql", is_flag=True, help="Only print the SQL, for review.")
@click.pass_obj
def upgrade(config: Path | None, *, sql: bool) -> None:
    """Bring the schema to what this program needs."""
    if sql:
        click.echo(migrate.offline_sql())
        return
    loaded = wiring.load(os.environ, config, with_sources=False)
    with wiring.database(loaded, os.environ) as target:
        migrate.upgrade(target)
        with connect(target) as connection, transaction(connection, target, "looking for the roles"):
            missing = migrate.missing_roles(connection)
    click.echo(f"the schema is at revision {migrate.head()}", err=True)
    for role in missing:
        click.echo(NO_ROLE.format(role=role), err=True)


@db.command()
@click.pass_obj
def status(config: Path | None) -> None:
    """Tell whether the schema is the one this program needs; exit 2 if not."""
    loaded = wiring.load(os.environ, config, with_sources=False)
    with (
        wiring.database(loaded, os.environ) as target,
        connect(target) as connection,
        transaction(connection, target, "reading the version of the schema"),
    ):
        migrate.check(connection)
    click.echo(f"the schema is at revision {migrate.head()}, as this program needs", err=True)


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(config: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql in the database; all further ARGUMENTS are psql's, such as -c 'SELECT ...'."""
    loaded = wiring.load(os.environ, config, with_sources=False)
    if loaded.database_url is None:
        with embedded(loaded.data_folder or default_folder(os.environ)) as server:
            sys.exit(server.run("psql", *arguments))
    _external(loaded.database_url.reveal(), arguments)


def _external(url: str, arguments: tuple[str, ...]) -> NoReturn:
    """Become the psql of the machine; the password goes by environment, so that no process list shows it.

    Raises:
        UsageError: there is none, or it can't be told the secrets of this URL.
    """
    program = shutil.which("psql")
    if program is None:
        raise UsageError("there is no psql on this machine; install PostgreSQL's client")
    open_url, password = _parted(libpq_url(url))
    environ = os.environ | ({} if password is None else {"PGPASSWORD": password})
    # In our place: Ctrl-C then cancels psql's query, and does not end us and psql with us.
    os.execve(program, [program, open_url, *arguments], environ)  # noqa: S606 - no shell


def _parted(url: str) -> tuple[str, str | None]:
    """The URL without its password, and the password; in the query it counts for more than before the host."""
    parts = urlsplit(url)
    query = [pair.partition("=") for pair in parts.query.split("&") if pair]
    named = {unquote(name): unquote(value) for name, _, value in query}
    if named.get("sslpassword"):
        raise UsageError("psql can't be given the sslpassword unseen; take a key without one, or start psql yourself")
    user, _, host = parts.netloc.rpartition("@")
    name, _, before = user.partition(":")
    kept = "&".join("".join(pair) for pair in query if unquote(pair[0]) != "password")
    # Put together by hand: the library drops the // of a URL without a host.
    open_url = f"{parts.scheme}://{f'{name}@' if name else ''}{host}{parts.path}{f'?{kept}' if kept else ''}"
    return open_url, named.get("password") or unquote(before) or None
