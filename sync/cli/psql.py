"""``image-sync db psql``: a shell in the database."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import click

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
    open_url, password = _without_password(libpq_url(url))
    environ = os.environ | ({} if password is None else {"PGPASSWORD": password})
    # In our place: Ctrl-C then cancels psql's query, and does not end us and psql with us.
    os.execve(program, [program, open_url, *arguments], environ)  # noqa: S606 - no shell


def _without_password(url: str) -> tuple[str, str | None]:
    """The URL without its password, and the password; one in the query takes precedence over one before the host."""
    parts = urlsplit(url)
    query = [pair.partition("=") for pair in parts.query.split("&") if pair]
    parameters = {unquote(name): unquote(value) for name, _, value in query}
    if parameters.get("sslpassword"):
        raise UsageError("sslpassword can't be passed to psql unseen; use a key without one, or start psql yourself")
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    kept = "&".join("".join(pair) for pair in query if unquote(pair[0]) != "password")
    # Put together by hand: the library drops the // of a URL without a host.
    open_url = f"{parts.scheme}://{f'{user}@' if user else ''}{host}{parts.path}{f'?{kept}' if kept else ''}"
    return open_url, parameters.get("password") or unquote(password) or None
