"""``image-sync db psql``: a shell in the database."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import click
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sync import wiring
from sync.cli.setup import load
from sync.embedded import embedded
from sync.errors import UsageError
from sync.store.connection import libpq_url


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql(config: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql in the database.

    All ARGUMENTS are passed on to psql, such as -c 'SELECT ...'.
    """
    loaded = load(config)
    if loaded.database_url is None:
        with embedded(wiring.own_folder(loaded, os.environ)) as server:
            sys.exit(server.run("psql", *arguments))
    _become_psql(loaded.database_url.reveal(), arguments)


def _become_psql(url: str, arguments: tuple[str, ...]) -> NoReturn:
    """Replace this process by the machine's psql; the password is passed in the environment, unseen by process lists.

    Raises:
        UsageError: there is no psql, or it can't be given the secrets of this URL.
    """
    program = shutil.which("psql")
    if program is None:
        raise UsageError("there is no psql on this machine; install PostgreSQL's client")
    where, password = _without_password(libpq_url(url))
    environ = os.environ | ({} if password is None else {"PGPASSWORD": password})
    # In our place: Ctrl-C then cancels psql's query, and does not end us and psql with us.
    os.execve(program, [program, where, *arguments], environ)  # noqa: S606 - no shell


def _without_password(url: str) -> tuple[str, str | None]:
    """How to reach the database, without the password; and the password."""
    try:
        parameters = conninfo_to_dict(url)
    except ProgrammingError:  # its text quotes the password
        raise UsageError("the database URL can't be understood; check IMAGE_SYNC_DATABASE_URL") from None
    if parameters.get("sslpassword"):
        raise UsageError("sslpassword can't be passed to psql unseen; use a key without one, or start psql yourself")
    password = parameters.pop("password", None)
    where = make_conninfo(**{name: str(value) for name, value in parameters.items()})
    return where, None if password is None else str(password)
