"""The layers of the code hold, and everything a user can call or set is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from checkout import CHECKOUT, TESTS
from servers import environment

from sync.cli import COMMANDS, command
from sync.domain.status import EXIT_CODES
from sync.settings.model import GENERAL, PER_SOURCE
from sync.store.schema.tables import metadata

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
LONGEST = 300  # lines of a module


def test_imports_respect_the_layers() -> None:
    """Imports keep to the layers of ``pyproject.toml``, without circles, HTTP or SQL in the domain."""
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_modules_are_short_and_documented() -> None:
    """No module has over 300 lines, and each begins with a docstring."""
    texts = {path: path.read_text(encoding="utf-8") for path in (CHECKOUT / "sync").rglob("*.py")}

    assert not [path for path, text in texts.items() if text.count("\n") > LONGEST]
    assert not [path for path, text in texts.items() if text and not re.match(r'"""\S', text)]


def test_tests_mirror_the_program() -> None:
    """In a folder named after a room of the program, each test file is named after a module of it or the room."""
    misplaced = []
    for path in TESTS.rglob("test_*.py"):
        room = CHECKOUT / "sync" / path.parent.relative_to(TESTS)
        if room.is_dir():
            names = {module.stem for module in room.iterdir() if not module.name.startswith("_")} | {room.name}
            if not any(re.fullmatch(rf"test_{name}(_\w+)?", path.stem) for name in names):
                misplaced.append(str(path.relative_to(TESTS)))

    assert misplaced == []


def test_starting_a_command_is_cheap() -> None:
    """The program answers ``--version`` without importing libraries that only some commands need."""
    heavy = ["httpx", "psycopg", "sqlalchemy", "alembic", "rich", "apscheduler", "msgspec"]
    code = f"import sys, sync.__main__; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["run", "plan", "approve", "schedule"])
def test_a_run_starts_without_libraries_it_does_not_need(module: str) -> None:
    """Neither SQLAlchemy, which only reads and migrates, nor the command line of the HTTP library is imported."""
    heavy = ["sqlalchemy", "alembic", "rich", "pygments", "jinja2"]
    code = f"import sys, sync.cli.{module}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    """Each command is in the README, and each of its options has a help text."""
    documented = command.get_command(click.Context(command), name)

    assert documented is not None
    assert re.search(rf"image-sync (?:[a-z`, -]*`)?{name}\b", README)
    members = list(documented.commands.values()) if isinstance(documented, click.Group) else [documented]
    for member in members:
        assert member.help
        options = [
            parameter for parameter in member.params if isinstance(parameter, click.Option) and not parameter.hidden
        ]
        assert [option.name for option in options if not option.help] == []


def test_every_subcommand_of_db_is_documented() -> None:
    """Each subcommand of `db` is in the README."""
    db = command.get_command(click.Context(command), "db")

    assert isinstance(db, click.Group)
    assert all(f"db {name}" in README for name in db.commands)


def test_every_setting_is_documented() -> None:
    """Each setting is in ``docs/settings.md`` under its variable and its key."""
    page = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")

    for option in (*GENERAL, *PER_SOURCE):
        assert f"| `{option.env}` | `{option.key}` |" in page


def test_every_table_is_documented() -> None:
    """Each table is on the database page with all its columns, and so is each view and function."""
    page = (CHECKOUT / "docs" / "database.md").read_text(encoding="utf-8")

    for table in metadata.tables.values():
        _, _, section = page.partition(f"\n### {table.name}\n")
        section, _, _ = section.partition("\n### ")
        assert table.comment
        assert table.comment in section
        assert all(f"`{column.name}`" in section for column in table.columns)
    for path in (CHECKOUT / "migrations" / "sql").glob("*/*.sql"):
        assert path.stem in page or path.stem == "column_comments"


def test_every_exit_code_is_documented() -> None:
    """Each exit code is in the table of the README."""
    codes = {0, 2, *EXIT_CODES.values()}

    assert set(map(int, re.findall(r"^\| (\d) \|", README, re.MULTILINE))) == codes
