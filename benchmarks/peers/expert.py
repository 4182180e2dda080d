"""A script by someone who knows PostgreSQL: fetch everything, COPY everything, and let SQL find the differences."""

from __future__ import annotations

from typing import Any

import psycopg

from benchmarks.peers.shape import API, COLUMNS, DEFINITIONS, NAMES, client, database_url, pages

_SET = ", ".join(f"{column} = stage.{column}" for column in COLUMNS[1:])
_OLD = ", ".join(f"image.{column}" for column in COLUMNS)
_NEW = ", ".join(f"stage.{column}" for column in COLUMNS)
_TABLES = f"""
    CREATE TABLE IF NOT EXISTS image (
        {DEFINITIONS}, valid_from timestamptz NOT NULL DEFAULT now(), gone_at timestamptz, PRIMARY KEY (id)
    );
    CREATE TABLE IF NOT EXISTS image_history ({DEFINITIONS}, valid_from timestamptz, valid_to timestamptz);
    CREATE INDEX IF NOT EXISTS image_history_id ON image_history (id, valid_from);
    CREATE TEMPORARY TABLE stage ({DEFINITIONS}) ON COMMIT DROP;
"""
# One join finds the few rows that matter; what follows works on those.
_COMPARE = f"""
    CREATE TEMPORARY TABLE changed ON COMMIT DROP AS
    SELECT stage.* FROM stage LEFT JOIN image USING (id)
    WHERE image.id IS NULL OR image.gone_at IS NOT NULL OR ({_OLD}) IS DISTINCT FROM ({_NEW})
"""
_CLOSE = f"""
    INSERT INTO image_history ({NAMES}, valid_from, valid_to)
    SELECT {_OLD}, image.valid_from, coalesce(image.gone_at, now()) FROM image JOIN changed USING (id)
"""
_UPSERT = f"""
    MERGE INTO image USING changed AS stage ON image.id = stage.id
    WHEN MATCHED THEN UPDATE SET {_SET}, valid_from = now(), gone_at = NULL
    WHEN NOT MATCHED THEN INSERT ({NAMES}) VALUES ({_NEW})
"""
_DELETE = """
    UPDATE image SET gone_at = now()
    WHERE gone_at IS NULL AND NOT EXISTS (SELECT FROM stage WHERE stage.id = image.id)
"""


def main() -> None:
    """Sync once."""
    with psycopg.connect(database_url()) as connection:
        connection.execute(_TABLES.encode())
        fetch(connection)
        for statement in ("ANALYZE stage", _COMPARE, _CLOSE, _UPSERT, _DELETE):
            connection.execute(statement.encode())


def fetch(connection: psycopg.Connection[Any]) -> None:
    """Send all images as they come."""
    statement = f"COPY stage ({NAMES}) FROM STDIN".encode()
    with client() as http, connection.cursor() as cursor, cursor.copy(statement) as stream:
        for images in pages(http):
            for image in images:
                stream.write_row([image[name] for name in API])


if __name__ == "__main__":
    main()
