"""Runs migrations on the connection that `sync.store.schema.migrate` hands in, or on IMAGE_SYNC_DATABASE_URL."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from sync.store.schema.tables import SCHEMA, metadata


def run(connection: Connection) -> None:
    """Migrate in one transaction: as a whole, or not at all."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        context.run_migrations()


def offline() -> None:
    """Print the SQL instead, for review."""
    context.configure(dialect_name="postgresql", version_table_schema=SCHEMA, literal_binds=True)
    with context.begin_transaction():
        context.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        context.run_migrations()


handed_in: Connection | None = context.config.attributes.get("connection")
if context.is_offline_mode():
    offline()
elif handed_in is not None:
    run(handed_in)
else:
    url = os.environ["IMAGE_SYNC_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    with create_engine(url, poolclass=pool.NullPool).connect() as own:
        run(own)
        own.commit()
