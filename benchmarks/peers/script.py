"""What a good engineer writes in a day: httpx, JSON, SQLAlchemy Core, an upsert for each page, a table of versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from benchmarks.peers.shape import API, COLUMNS, PYTHON_TYPES, client, database_url, pages

Row = dict[str, Any]
_TYPES: dict[type, sa.types.TypeEngine[Any]] = {
    str: sa.Text(),
    int: sa.BigInteger(),
    bool: sa.Boolean(),
    datetime: sa.DateTime(timezone=True),
}
_MOMENT = sa.DateTime(timezone=True)
_FIELDS = list(zip(API, COLUMNS, PYTHON_TYPES, strict=True))

metadata = sa.MetaData()
image = sa.Table(
    "image",
    metadata,
    *(sa.Column(name, _TYPES[kind], primary_key=name == "id") for _, name, kind in _FIELDS),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("gone_at", _MOMENT),
)
history = sa.Table(
    "image_history",
    metadata,
    *(sa.Column(name, _TYPES[kind]) for _, name, kind in _FIELDS),
    sa.Column("valid_from", _MOMENT, nullable=False),
    sa.Column("valid_to", _MOMENT),
    sa.Index("image_history_open", "id", unique=True, postgresql_where=sa.text("valid_to IS NULL")),
    sa.Index("image_history_id", "id", "valid_from"),
)


def main() -> None:
    """Sync once, in one transaction."""
    engine = sa.create_engine(database_url().replace("postgresql:", "postgresql+psycopg:", 1))
    metadata.create_all(engine)
    now, seen = datetime.now(UTC), set[str]()
    with client() as http, engine.begin() as connection:
        for images in pages(http):
            rows = [parse(found) for found in images]
            seen.update(row["id"] for row in rows)
            write(connection, rows, now)
        live = connection.scalars(sa.select(image.c.id).where(image.c.gone_at.is_(None)))
        delete(connection, set(live) - seen, now)


def parse(found: Row) -> Row:
    """One row, with a hash to see changes by."""
    values = {
        column: datetime.fromisoformat(found[name]) if kind is datetime else found[name]
        for name, column, kind in _FIELDS
    }
    content = json.dumps(found, sort_keys=True).encode()
    return values | {"hash": hashlib.sha256(content).digest(), "gone_at": None}


def write(connection: sa.Connection, rows: list[Row], now: datetime) -> None:
    """Insert what is new, update what is different, and keep the versions of both."""
    if not rows:
        return
    upsert = insert(image)
    new = upsert.excluded
    upsert = upsert.on_conflict_do_update(
        index_elements=[image.c.id],
        set_={column.name: new[column.name] for column in image.c if column.name != "id"},
        where=sa.or_(image.c.hash != new.hash, image.c.gone_at.is_not(None)),
    )
    written = set(connection.scalars(upsert.returning(image.c.id), rows))
    if written:
        close(connection, written, now)
        versions = [{name: row[name] for name in COLUMNS} for row in rows if row["id"] in written]
        connection.execute(sa.insert(history).values(valid_from=now), versions)


def delete(connection: sa.Connection, gone: Collection[str], now: datetime) -> None:
    """Mark what is no longer listed."""
    if gone:
        connection.execute(sa.update(image).where(image.c.id.in_(gone)).values(gone_at=now))
        close(connection, gone, now)


def close(connection: sa.Connection, ids: Collection[str], now: datetime) -> None:
    """End the open versions of images."""
    opened = sa.and_(history.c.id.in_(ids), history.c.valid_to.is_(None))
    connection.execute(sa.update(history).where(opened).values(valid_to=now))


if __name__ == "__main__":
    main()
