"""The order of the code, and that nothing a user may call or set is missing from the documents."""

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
from sync.domain.run import EXIT_CODES
from sync.settings.model import GENERAL, PER_SOURCE
from sync.store.schema.tables import metadata

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
LONGEST = 300  # lines of a module


def test_arrows_of_import_point_down() -> None:
    """The layers of ``pyproject.toml``, no circles, and no HTTP or SQL in the rules."""
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


def test_modules_are_short_and_say_what_they_are_for() -> None:
    """No module of the program is over 300 lines, and each begins with a line about itself."""
    texts = {path: path.read_text(encoding="utf-8") for path in (CHECKOUT / "sync").rglob("*.py")}

    assert not [path for path, text in texts.items() if text.count("\n") > LONGEST]
    assert not [path for path, text in texts.items() if text and not re.match(r'"""\S', text)]


def test_tests_mirror_the_program() -> None:
    """In a folder named as a room of the program, a file is named after one of its modules, or after the room."""
    lost = []
    for path in TESTS.rglob("test_*.py"):
        room = CHECKOUT / "sync" / path.parent.relative_to(TESTS)
        if room.is_dir():
            names = {module.stem for module in room.iterdir() if not module.name.startswith("_")} | {room.name}
            if not any(re.fullmatch(rf"test_{name}(_\w+)?", path.stem) for name in names):
                lost.append(str(path.relative_to(TESTS)))

    assert lost == []


def test_start_of_a_command_is_cheap() -> None:
    """What only some commands need is imported by those: the program answers ``--version`` without it."""
    heavy = ["httpx", "psycopg", "sqlalchemy", "alembic", "rich", "apscheduler", "msgspec"]
    code = f"import sys, sync.__main__; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    """In the README, and each of its options has a help text."""
    found = command.get_command(click.Context(command), name)

    assert found is not None
    assert re.search(rf"image-sync (?:[a-z`, -]*`)?{name}\b", README)
    members = list(found.commands.values()) if isinstance(found, click.Group) else [found]
    for member in members:
        assert member.help
        options = [
            parameter for parameter in member.params if isinstance(parameter, click.Option) and not parameter.hidden
        ]
        assert [option.name for option in options if not option.help] == []


def test_every_subcommand_of_db_is_documented() -> None:
    """In the README, as they are called."""
    db = command.get_command(click.Context(command), "db")

    assert isinstance(db, click.Group)
    assert all(f"db {name}" in README for name in db.commands)


def test_every_setting_is_documented() -> None:
    """In ``docs/settings.md``, by its name in the environment and in the file."""
    page = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")

    for option in (*GENERAL, *PER_SOURCE):
        assert f"| `{option.env}` | `{option.key}` |" in page


def test_every_table_is_documented() -> None:
    """On the page on the database, with all its columns; the views that are asked most, in the README."""
    page = (CHECKOUT / "docs" / "database.md").read_text(encoding="utf-8")

    for table in metadata.tables.values():
        _, _, told = page.partition(f"\n### {table.name}\n")
        told, _, _ = told.partition("\n### ")
        assert table.comment
        assert table.comment in told
        assert all(f"`{column.name}`" in told for column in table.columns)
    for path in (CHECKOUT / "migrations" / "sql").glob("*/*.sql"):
        assert path.stem in page or path.stem == "column_comments"


def test_every_exit_code_is_documented() -> None:
    """In the README, in one table."""
    codes = {0, 2, *EXIT_CODES.values()}

    assert set(map(int, re.findall(r"^\| (\d) \|", README, re.MULTILINE))) == codes
