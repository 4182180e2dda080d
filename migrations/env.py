"""Runs migrations on the connection that `sync.store.schema.migrate` hands in, or on IMAGE_SYNC_DATABASE_URL."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from sync.store.connection import Target, connect
from sync.store.engine import engine_connection
from sync.store.schema.tables import SCHEMA, metadata

# IF NOT EXISTS would ask for the right to create schemas even where an administrator has made this one.
CREATE_SCHEMA = f"""
DO $$
BEGIN
    IF to_regnamespace('{SCHEMA}') IS NULL THEN
        CREATE SCHEMA {SCHEMA};
    END IF;
END
$$
"""


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
        connection.exec_driver_sql(CREATE_SCHEMA)
        context.run_migrations()


def offline() -> None:
    """Print the SQL instead, for review."""
    context.configure(dialect_name="postgresql", version_table_schema=SCHEMA, literal_binds=True)
    with context.begin_transaction():
        context.execute(CREATE_SCHEMA)
        context.run_migrations()


handed_in: Connection | None = context.config.attributes.get("connection")
if context.is_offline_mode():
    offline()
elif handed_in is not None:
    run(handed_in)
else:
    target = Target(os.environ["IMAGE_SYNC_DATABASE_URL"])
    with engine_connection(connect(target), "migrating the schema") as own:
        own.execution_options(isolation_level="READ COMMITTED")
        own.exec_driver_sql(target.session_settings)
        run(own)
        own.commit()
