"""All tables of the inventory at one moment, and a database whose clock can be set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg
from machine_shown import content
from psycopg.rows import dict_row

from sync.domain.apis import APIS

Row = dict[str, Any]
KEYS: dict[str, tuple[str, ...]] = {
    "sources": ("name",),
    "runs": ("run",),
    "run_pages": ("source", "run", "page"),
    "images": ("source", "id"),
    "image_versions": ("source", "id", "valid_from"),
    "quarantine": ("source", "digest"),
    "held_deletions": ("source", "id", "run"),
    "missing_images": ("source", "id", "since"),
    "findings": ("source", "kind", "subject"),
}
# This clock takes the place of PostgreSQL's own in one database, so that it can differ from that of its processes, and
# jump. What was made before, such as views, keeps the real one.
CLOCK = """
CREATE SCHEMA clock;
CREATE TABLE clock.ahead (seconds double precision NOT NULL);
INSERT INTO clock.ahead VALUES (0);
SET allow_system_table_mods = on;
ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO real_clock_timestamp;
CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.real_clock_timestamp() + (SELECT make_interval(secs => seconds) FROM clock.ahead)';
RESET allow_system_table_mods;
"""


def give_clock(connection: psycopg.Connection[Any]) -> None:
    """Have a database use a clock that ``set_clock`` sets."""
    connection.execute(CLOCK)


def set_clock(connection: psycopg.Connection[Any], seconds: float) -> None:
    """Set the clock ahead of the real one, or behind it if negative."""
    connection.execute("UPDATE clock.ahead SET seconds = %s", [seconds])


@dataclass
class Tables:
    """Every row of every table, with the ``xmin`` that shows when it was last written.

    Attributes:
        rows: by table and primary key.
        now: the database's clock.
    """

    now: datetime
    rows: dict[str, dict[tuple[Any, ...], Row]] = field(default_factory=dict)

    @property
    def runs(self) -> dict[int, Row]:
        """The runs by number."""
        return {key[0]: row for key, row in self.rows["runs"].items()}

    @property
    def images(self) -> dict[tuple[Any, ...], Row]:
        """The images by source and id."""
        return self.rows["images"]

    @property
    def versions(self) -> dict[tuple[Any, ...], Row]:
        """The earlier versions by source, id and beginning."""
        return self.rows["image_versions"]

    def live(self, source: str) -> dict[str, str]:
        """Content of the live images of a source, by id."""
        return {row["id"]: self.content("images", key) for key, row in self._live if row["source"] == source}

    def as_of(self, source: str, moment: datetime) -> dict[str, str]:
        """Content of the images of a source that existed at a moment, by id."""
        past = [
            (row["id"], self.content("image_versions", key))
            for key, row in self.versions.items()
            if row["source"] == source and row["valid_from"] <= moment < row["valid_to"]
        ]
        now = [
            (row["id"], self.content("images", key))
            for key, row in self._live
            if row["source"] == source and row["valid_from"] <= moment
        ]
        assert len(dict(past + now)) == len(past + now), f"two versions of one image at {moment}"
        return dict(past + now)

    def content(self, table: str, key: tuple[Any, ...]) -> str:
        """The content of an image or a version, as the cloud would return it."""
        texts = self._texts
        if (table, key) not in texts:
            texts[table, key] = content_of(self.rows[table][key], self.rows["sources"][key[:1]]["api"])
        return texts[table, key]

    def missing(self, source: str) -> dict[str, str]:
        """The states of a source's live images that its last proven list lacked, by id."""
        rows = self.rows["missing_images"].values()
        return {row["id"]: row["state"] for row in rows if row["source"] == source and row["ended_at"] is None}

    def open_cases(self, source: str) -> dict[str, Row]:
        """The held deletions of a source that still wait, by id."""
        rows = self.rows["held_deletions"].values()
        return {row["id"]: row for row in rows if row["source"] == source and row["closed_at"] is None}

    def of_source(self, source: str) -> dict[str, dict[tuple[Any, ...], Row]]:
        """Every row that belongs to a source."""
        return {
            table: {key: row for key, row in rows.items() if row["name" if table == "sources" else "source"] == source}
            for table, rows in self.rows.items()
        }

    @cached_property
    def _live(self) -> list[tuple[tuple[Any, ...], Row]]:
        return [(key, row) for key, row in self.images.items() if is_live(row)]

    @cached_property
    def _texts(self) -> dict[tuple[str, tuple[Any, ...]], str]:
        return {}


def is_live(row: Row) -> bool:
    """Whether an image is neither deleted nor invisible."""
    return row["deleted_at"] is None and row["invisible_since"] is None


def content_of(row: Row, api: str) -> str:
    """The content of a stored image or version, as an API of this name would return it."""
    document = {each.api: row[each.column] for _, each in APIS[api].stored}
    return content(document | (row["extra"] or {}), APIS[api])


def read_tables(connection: psycopg.Connection[Any]) -> Tables:
    """Read all tables."""
    with connection.cursor(row_factory=dict_row) as cursor:
        now = cursor.execute("SELECT clock_timestamp() AS now").fetchone()
        assert now is not None
        tables = Tables(now["now"])
        for table, key in KEYS.items():
            rows = cursor.execute(f"SELECT *, xmin::text FROM inventory.{table}").fetchall()  # type: ignore[arg-type]
            tables.rows[table] = {tuple(row[name] for name in key): row for row in rows}
    return tables


def plain(rows: Iterable[Row]) -> list[Row]:
    """Rows without their ``xmin``."""
    return [{name: value for name, value in row.items() if name != "xmin"} for row in rows]
