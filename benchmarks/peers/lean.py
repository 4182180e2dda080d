"""The floor: as little work as a complete pipeline through httpx can do. No settings, no proof, no record of runs.

An image is known by the digest of its bytes, so that unchanged ones are neither parsed nor sent. What changed goes
through COPY, straight into the table at first, else beside it, and from there in as few statements as there are cases.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from typing import Any

import httpx
import msgspec
import psycopg

from benchmarks.peers.shape import API, COLUMNS, DEFINITIONS, LIMIT, NAMES, PYTHON_TYPES, SQL_TYPES, client, page
from benchmarks.peers.shape import database_url as url

IN_FLIGHT = 8
Row = tuple[Any, ...]
Connection = psycopg.Connection[Any]


class Page(msgspec.Struct):
    """One answer, its images left as they came."""

    images: list[msgspec.Raw]
    total: int


Image = msgspec.defstruct(
    "Image",
    [(column, kind | None, None) for column, kind in zip(COLUMNS, PYTHON_TYPES, strict=True)],
    rename=dict(zip(COLUMNS, API, strict=True)),
    gc=False,
)
_page = msgspec.json.Decoder(Page).decode
_image = msgspec.json.Decoder(Image).decode
_values = msgspec.structs.astuple

_SET = ", ".join(f"{column} = stage.{column}" for column in COLUMNS[1:])
_OLD = ", ".join(f"image.{column}" for column in COLUMNS)
_IS_NEW = "SELECT to_regclass('image') IS NULL"
_TABLES = f"""
    CREATE TABLE image ({DEFINITIONS}, digest bytea, valid_from timestamptz DEFAULT now(), gone_at timestamptz)
    WITH (fillfactor = 85);
    CREATE TABLE image_history ({DEFINITIONS}, valid_from timestamptz, valid_to timestamptz);
    CREATE INDEX ON image_history (id, valid_from);
"""
_KEY = "ALTER TABLE image ADD PRIMARY KEY (id)"  # after the rows: cheaper than with each of them
_DIGESTS = "SELECT string_agg(digest, '') FROM image WHERE gone_at IS NULL"
_STAGE = f"CREATE TEMPORARY TABLE stage ({DEFINITIONS}, digest bytea) ON COMMIT DROP"
_CLOSE = f"""
    INSERT INTO image_history ({NAMES}, valid_from, valid_to)
    SELECT {_OLD}, image.valid_from, coalesce(image.gone_at, now()) FROM image JOIN stage USING (id)
"""
_UPDATE = f"""
    UPDATE image SET {_SET}, digest = stage.digest, valid_from = now(), gone_at = NULL FROM stage
    WHERE image.id = stage.id
"""
_INSERT = f"""
    INSERT INTO image ({NAMES}, digest) SELECT {NAMES}, digest FROM stage
    WHERE NOT EXISTS (SELECT FROM image WHERE image.id = stage.id)
"""
# A changed image has its new digest by then, so what is left of the unlisted ones is gone.
_DELETE = "UPDATE image SET gone_at = now() WHERE gone_at IS NULL AND digest = ANY(%s)"


def main() -> None:
    """Sync once."""
    gc.freeze()  # what was imported need not be looked through again
    with psycopg.connect(url(), autocommit=True) as connection, client() as http:
        if connection.execute(_IS_NEW).fetchone() == (True,):
            load(connection, http)
        else:
            sync(connection, http)


def load(connection: Connection, http: httpx.Client) -> None:
    """Make the tables, and fill them."""
    with connection.transaction():
        connection.execute(_TABLES.encode())
        copy(connection, "image", changed(pages(http), set()))
        connection.execute(_KEY)


def sync(connection: Connection, http: httpx.Client) -> None:
    """Bring the tables up to date, or leave them alone."""
    unlisted = digests(connection)
    rows = list(changed(pages(http), unlisted))
    if not rows and not unlisted:
        return
    with connection.transaction():
        connection.execute(_STAGE.encode())
        copy(connection, "stage", rows)
        connection.execute(_CLOSE.encode())
        connection.execute(_UPDATE.encode())
        connection.execute(_INSERT.encode())
        connection.execute(_DELETE, [list(unlisted)])


def digests(connection: Connection) -> set[bytes]:
    """The digests of the live images, sent as one value."""
    (joined,) = connection.execute(_DIGESTS, binary=True).fetchone() or (b"",)
    joined = joined or b""
    return {joined[start : start + 16] for start in range(0, len(joined), 16)}


def pages(http: httpx.Client) -> Iterator[Page]:
    """All pages in order, several of them on their way at a time."""
    first = _page(page(http, 0).content)
    yield first
    offsets = iter(range(LIMIT, first.total, LIMIT))
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        flying = deque(pool.submit(page, http, offset) for offset in islice(offsets, IN_FLIGHT))
        while flying:
            answer = flying.popleft().result()
            flying.extend(pool.submit(page, http, offset) for offset in islice(offsets, 1))
            yield _page(answer.content)


def changed(listed: Iterator[Page], known: set[bytes]) -> Iterator[Row]:
    """The rows of images that are not known; of the known ones, those that are not listed are left."""
    for answer in listed:
        found = [blake2b(raw, digest_size=16).digest() for raw in answer.images]
        if not known.issuperset(found):
            for raw, digest in zip(answer.images, found, strict=True):
                if digest not in known:
                    yield (*_values(_image(raw)), digest)
        known.difference_update(found)


def copy(connection: Connection, table: str, rows: Iterator[Row] | list[Row]) -> None:
    """Send rows in PostgreSQL's own binary form."""
    statement = f"COPY {table} ({NAMES}, digest) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as stream:
        stream.set_types([*SQL_TYPES, "bytea"])
        for row in rows:
            stream.write_row(row)


if __name__ == "__main__":
    main()
