"""``image-sync db``: the schema of the database, and a shell in it."""

from __future__ import annotations

from pathlib import Path

import click

from sync.cli.psql import psql
from sync.cli.setup import checked_connection, load, open_database
from sync.store.connection import connect, transaction
from sync.store.schema import migrate

NO_ROLE = (
    "the role {role} does not exist, and this user may not create it: have an administrator run CREATE ROLE {role}, "
    "then run this again"
)


class _Group(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "check":
            ctx.fail("`db check` is now `db status`")
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Group)
def db() -> None:
    """Manage the database."""


db.add_command(psql)


@db.command()
@click.option("--sql", is_flag=True, help="Only print the SQL, for review.")
@click.pass_obj
def upgrade(config: Path | None, *, sql: bool) -> None:
    """Upgrade the schema to the one that this program needs."""
    if sql:
        click.echo(migrate.offline_sql().encode())
        return
    with open_database(load(config)) as target:
        migrate.upgrade(target)
        with connect(target) as connection, transaction(connection, target, "looking for the roles"):
            missing = migrate.missing_roles(connection)
    click.echo(f"the schema is at revision {migrate.head()}", err=True)
    for role in missing:
        click.echo(NO_ROLE.format(role=role), err=True)


@db.command()
@click.pass_obj
def status(config: Path | None) -> None:
    """Say whether the schema is the one that this program needs.

    Exits with 2 if it is not.
    """
    with open_database(load(config)) as target, checked_connection(target):
        click.echo(f"the schema is at revision {migrate.head()}, as this program needs", err=True)
