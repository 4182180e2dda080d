"""The job's own PostgreSQL: started when it is needed, shared by all who need it, stopped when nobody does."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sync.embedded.installation import binary
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sync.embedded.handle import Embedded

__all__ = ["binary", "default_folder", "embedded", "wait_until_stopped"]


def default_folder(environ: Mapping[str, str]) -> Path:
    """Where the data lives unless the settings say otherwise.

    Root's is not in its home, which is closed to the account the server runs as.

    Raises:
        EmbeddedError: this account has no home folder.
    """
    _refuse_windows()
    if os.geteuid() == 0:
        return Path("/var/lib/image-sync")
    shared = Path(environ.get("XDG_DATA_HOME", ""))
    if shared.is_absolute():  # the XDG specification ignores relative ones
        return shared / "image-sync"
    library = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    return _home(environ) / library / "image-sync"


@contextmanager
def embedded(folder: Path) -> Iterator[Embedded]:
    """Make sure the server of this folder runs, and keep it running until the block is left.

    Everything of it lies below the folder, which is made if it is missing. Many processes may use one folder at once;
    when the last of them has gone, in whatever way, the server stops.

    Raises:
        EmbeddedError: it cannot run here; the message says what to do.
    """
    _refuse_windows()
    from sync.embedded.handle import opened  # fcntl and pwd do not exist on Windows

    with opened(folder) as handle:
        yield handle


def wait_until_stopped(folder: Path) -> None:
    """Wait until no server of this folder runs, for those who want to remove the folder next.

    Raises:
        EmbeddedError: it is still in use after two minutes.
    """
    _refuse_windows()
    from sync.embedded.handle import stopped  # fcntl and pwd do not exist on Windows

    stopped(folder)


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError as error:
        raise EmbeddedError(
            "This account has no home folder to keep a database in: set HOME, XDG_DATA_HOME, "
            "or IMAGE_SYNC_DATABASE_URL for a server of your own.",
        ) from error


def _refuse_windows() -> None:
    if os.name != "posix":
        raise EmbeddedError(
            "The job's own PostgreSQL runs on Linux and macOS only: set IMAGE_SYNC_DATABASE_URL, or use WSL or Docker.",
        )
