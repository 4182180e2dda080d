"""How most commands begin: they read the settings, set up the logs, and open the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sync import logs, wiring
from sync.settings import Settings
from sync.store.connection import Connection, Target, connect, transaction
from sync.store.schema import migrate

if TYPE_CHECKING:
    from sync.store.queries.inventory import Inventory

_log = logs.get(__name__)


def load(config: Path | None) -> Settings:
    """Read the settings without the sources, whose credentials are not needed to read the database.

    Raises:
        SettingsError: names every mistake.
    """
    return wiring.load(os.environ, config, with_sources=False)


def load_for_runs(config: Path | None) -> Settings:
    """Read the settings with their sources, check what TLS needs of the environment, and configure the logs.

    Raises:
        SettingsError: names every mistake.
        EnvironmentVariableError: a proxy or certificates that the environment names cannot be used.
    """
    loaded = wiring.load(os.environ, config)
    configure_logs(loaded)
    wiring.check_environment(loaded)
    return loaded


def configure_logs(loaded: Settings) -> None:
    """Log as the settings say, and log the warnings about them."""
    logs.configure(loaded.log_level, loaded.log_format)
    for warning in loaded.warnings:
        _log.warning("configuration warning", reason=warning)


def open_database(loaded: Settings) -> AbstractContextManager[Target]:
    """The database of the settings, or the job's own, running for as long as the block lasts.

    Raises:
        EmbeddedError: the job's own can't run here.
    """
    return wiring.database(loaded, os.environ)


@contextmanager
def open_inventory(loaded: Settings, source: str | None = None) -> Iterator[Inventory]:
    """The inventory, for a command that only reads it.

    Raises:
        UnknownError: the inventory has no such source.
    """
    from sync.store.queries.inventory import inventory  # brings SQLAlchemy, which a run does without

    with open_database(loaded) as target, inventory(target) as opened:
        opened.check_source(source)
        yield opened


@contextmanager
def checked_connection(target: Target) -> Iterator[Connection]:
    """A connection to a database whose schema version is the one that this program needs.

    Raises:
        SchemaVersionError: the schema is missing, older or newer.
        StoreError: the database can't be reached or read.
    """
    with connect(target) as connection:
        with transaction(connection, target, "reading the version of the schema"):
            migrate.check(connection)
        yield connection
