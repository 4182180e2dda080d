"""Write docs/database.md and its picture from a live database; with --check, only say whether they are stale (exit 1).

The database is the one that `image-sync demo` leaves: made by the migrations, and filled by five real runs.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from picture_of_tables import draw

from sync import wiring

DOCS = Path(__file__).parent
PAGE, PICTURE, QUESTIONS = DOCS / "database.md", DOCS / "database.svg", DOCS / "sql"
HEAD = DOCS.joinpath("database.head.md").read_text(encoding="utf-8")

RELATIONS = """
SELECT c.oid, c.relname, c.relkind = 'v', obj_description(c.oid) FROM pg_class c
WHERE c.relnamespace = 'inventory'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'alembic_version'
ORDER BY c.relkind = 'r', c.relname
"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, NULL), col_description(a.attrelid, a.attnum),
       coalesce((SELECT a.attnum = ANY(conkey) FROM pg_constraint WHERE conrelid = a.attrelid AND contype = 'p'), false)
FROM pg_attribute a WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
FUNCTIONS = """
SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), obj_description(p.oid)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang AND l.lanname <> 'internal' -- those of the type of ranges
WHERE p.pronamespace = 'inventory'::regnamespace ORDER BY p.proname
"""
SHORT = {"timestamp with time zone": "timestamptz"}


def main() -> None:
    """Write or check."""
    made = {PAGE: "", PICTURE: ""}
    with tempfile.TemporaryDirectory() as folder, connected(_reachable(folder)) as connection:
        made[PAGE] = HEAD + "\n" + "\n\n".join([*dictionary(connection), *cookbook(connection)]) + "\n"
        made[PICTURE] = draw({name: keys(connection, oid) for oid, name, view, _ in relations(connection) if not view})
    if "--check" not in sys.argv:
        for path, text in made.items():
            path.write_text(text, encoding="utf-8")
        return
    stale = [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    if stale:
        sys.exit(f"{', '.join(stale)} is stale: run docs/make_database_page.py")


def _reachable(folder: str) -> Path:
    """A folder that the account of PostgreSQL can enter, even if we are root."""
    Path(folder).chmod(0o755)
    return Path(folder, "demo")


class connected:  # noqa: N801 - reads as what it does
    """A connection to the database of a demo, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._environ = {"IMAGE_SYNC_DATA_FOLDER": str(folder), "PATH": os.environ.get("PATH", "")}
        command = [sys.executable, "-m", "sync", "demo", "--folder", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
        loaded = wiring.load(self._environ, None, with_sources=False)
        self._database = wiring.database(loaded, self._environ)

    def __enter__(self) -> psycopg.Connection[Any]:
        self._connection = psycopg.connect(self._database.__enter__().url, autocommit=True)
        return self._connection

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        self._database.__exit__(None, None, None)


def relations(connection: psycopg.Connection[Any]) -> list[Any]:
    """Views, then tables, each with its comment."""
    return connection.execute(RELATIONS).fetchall()


def keys(connection: psycopg.Connection[Any], oid: int) -> list[str]:
    """The columns of a table's key."""
    return [name for name, _, _, key in connection.execute(COLUMNS, [oid]) if key]


def dictionary(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Every view, function and table with all its columns."""
    found = relations(connection)
    yield "## Views"
    for oid, name, _, comment in (one for one in found if one[2]):
        yield from _relation(connection, oid, name, comment)
    yield "## Functions"
    for name, arguments, result, comment in connection.execute(FUNCTIONS):
        yield f"### {name}\n{comment}.\n\n```sql\n{name}({arguments})\nRETURNS {result}\n```"
    yield "## Tables"
    for oid, name, _, comment in (one for one in found if not one[2]):
        yield from _relation(connection, oid, name, comment)


def _relation(connection: psycopg.Connection[Any], oid: int, name: str, comment: str) -> Iterator[str]:
    yield f"### {name}\n{comment}."
    rows = [
        (f"**`{column}`**" if key else f"`{column}`", SHORT.get(kind, kind), meaning or "")
        for column, kind, meaning, key in connection.execute(COLUMNS, [oid])
    ]
    yield table(("column", "type", "meaning"), rows)


def cookbook(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Each question with its SQL and what it gives."""
    yield "## Cookbook"
    yield (
        "Each of these is a file in [docs/sql](sql); the results are those of `image-sync demo`, after its five runs."
    )
    for path in sorted(QUESTIONS.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        question, _, statement = text.removeprefix("-- ").partition("\n")
        cursor = connection.execute(statement.encode())
        rows = cursor.fetchall()
        names = [column.name for column in cursor.description or ()]
        result = table(names, rows) if rows else "No rows."
        yield f"### {question}\n```sql\n{statement.rstrip()}\n```\n\n{result}"


def table(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table in Markdown."""
    names = list(names)
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    main()
