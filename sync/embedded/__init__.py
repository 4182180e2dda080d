"""The job's own PostgreSQL: started when needed, shared by all who use it, stopped when nobody does."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from sync.embedded.handle import Embedded

__all__ = ["default_folder", "embedded", "wait_until_stopped"]


def default_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the data unless the settings name another.

    Root's is not in its home, which is closed to the account the server runs as.

    Raises:
        EmbeddedError: this account has no home folder, or this is Windows.
    """
    _refuse_windows()
    if os.geteuid() == 0:
        return Path("/var/lib/image-sync")
    shared = Path(environ.get("XDG_DATA_HOME", ""))
    if shared.is_absolute():  # the XDG specification ignores relative ones
        return shared / "image-sync"
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError as error:
        raise EmbeddedError(
            "This account has no home folder to keep a database in: set HOME, XDG_DATA_HOME, "
            "or IMAGE_SYNC_DATABASE_URL for a server of your own.",
        ) from error
    library = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    return home / library / "image-sync"


def embedded(folder: Path) -> AbstractContextManager[Embedded]:
    """Make sure that the server of a folder runs, and keep it running until the block ends.

    All its files are below the folder, which is created if it is missing. Many processes may use one folder at once;
    when the last of them has ended, in whatever way, the server stops.

    Raises:
        EmbeddedError: the server cannot run here; the message says what to do.
    """
    _refuse_windows()
    from sync.embedded.handle import opened  # fcntl and pwd do not exist on Windows

    return opened(folder)


def wait_until_stopped(folder: Path) -> None:
    """Wait until no server of this folder runs, so that the folder can be removed.

    Raises:
        EmbeddedError: it is still in use after two minutes.
    """
    _refuse_windows()
    from sync.embedded.handle import stopped  # fcntl and pwd do not exist on Windows

    stopped(folder)


def _refuse_windows() -> None:
    if os.name != "posix":
        raise EmbeddedError(
            "The job's own PostgreSQL runs on Linux and macOS only: set IMAGE_SYNC_DATABASE_URL, or use WSL or Docker.",
        )
