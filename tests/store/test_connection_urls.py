"""URLs of the database: with a driver's name, and read again from their file when no connection is possible."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from cli_tools import with_password
from psycopg import sql
from servers import Server

from sync import wiring
from sync.errors import DatabaseUnavailableError
from sync.logs import mask
from sync.store.connection import Target, connect

OLD, NEW = "canary-old-db", "canary-new-db"


def change_password(server: Server, role: str, password: str) -> None:
    """Set another password in the database."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as owner:
        owner.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))


def target_of(file: Path) -> Target:
    """The database of the settings, whose URL is in a file."""
    loaded = wiring.load({"IMAGE_SYNC_DATABASE_URL_FILE": str(file)}, with_sources=False)
    target = wiring.named_target(loaded)
    assert target is not None
    return target


def test_a_new_password_in_the_file_is_used(server: Server, tmp_path: Path) -> None:
    """A refused password is followed by the one that the file holds now, which is masked and used from then on."""
    url, file = with_password(server, "rotated", OLD), tmp_path / "url"
    file.write_text(url.format(OLD))
    target = target_of(file)
    connect(target).close()
    change_password(server, "rotated", NEW)
    file.write_text(url.format(NEW))
    connect(target).close()
    file.unlink()
    connect(target).close()

    assert mask(f"it is {NEW}") == "it is ***"


@pytest.mark.parametrize(("content", "tries"), [(OLD, 1), ("canary-wrong", 2)])
def test_only_another_url_is_tried(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, tries: int
) -> None:
    """The same URL is not tried again; another one that is refused, too, is the error."""
    role, file = f"unrotated_{tries}", tmp_path / "url"
    url = with_password(server, role, OLD)
    file.write_text(url.format(OLD))
    target = target_of(file)
    change_password(server, role, NEW)
    file.write_text(url.format(content))
    with pytest.raises(DatabaseUnavailableError, match="password authentication failed") as caught:
        connect(target)

    assert "canary" not in str(caught.value)
    assert len(caplog.records) == tries - 1


@pytest.mark.parametrize("scheme", ["postgres+psycopg", "postgresql+psycopg2"])
def test_the_name_of_a_driver_is_left_out(server: Server, scheme: str) -> None:
    """A URL with the name of a driver, as other programs have it, is connected to as any other."""
    url = server.url().replace("postgresql:", f"{scheme}:")

    connect(Target(url)).close()


@pytest.mark.parametrize("kind", ["true", "database"])
def test_a_replication_connection_is_not_opened(server: Server, kind: str) -> None:
    """A URL that was copied from a replication client opens a connection that answers queries."""
    with connect(Target(f"{server.empty()}?replication={kind}&application_name=copied")) as connection:
        assert connection.execute("SELECT %s::int", [7]).fetchone() == (7,)
