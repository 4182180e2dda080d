"""What PostgreSQL said when it failed, and what to do about it."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sync.embedded.directory import ServerDirectory

_LINES = 10

_DAMAGED = "the data is damaged: restore a backup, or move the data folder away to start empty"

_ADVICE = {
    "No space left on device": "free some space on the disk of {folder}",
    "Disk quota exceeded": "free some space on the disk of {folder}",
    "Read-only file system": "choose a data folder on a disk that can be written",
    "Permission denied": "let the account {account} reach {folder} and own its data, or choose another data folder",
    "has wrong ownership": "let the account {account} own all of the data folder",
    "has invalid permissions": "set the mode of the data folder to 0700",
    "shared memory": "end what is left of the earlier server (ps -ef | grep postgres), then try again",
    "incompatible with server": _DAMAGED,
    "control file": _DAMAGED,
    "valid checkpoint record": _DAMAGED,
    "could not look up effective user ID": "give this user an entry in /etc/passwd",
}


_SYSTEM_ADVICE = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "free some space on the disk",
    errno.EACCES: f"let user id {os.geteuid()} write there, or choose another data folder",
    errno.EPERM: "root may not change to another account here, so run as an ordinary user, "
    "or set IMAGE_SYNC_DATABASE_URL",
}


def explain(place: ServerDirectory, what: str, said: str) -> str:
    """One message: what failed, what to do, and what PostgreSQL said of it."""
    advice = next((advice for sign, advice in _ADVICE.items() if sign in said), "the lines below say why")
    if "Permission denied" in said:
        advice = open_way(place) or advice
    advice = advice.format(folder=place.folder, account=place.account.name)
    return f"{what} in {place.folder}: {advice}.\n{said or '(It said nothing.)'}"


def open_way(place: ServerDirectory) -> str | None:
    """What to do if some folder on the way to ours is closed to the account, else None."""
    closed = place.account.closed_parent(place.folder)
    if not closed:
        return None
    return (
        f"the account {place.account.name}, which PostgreSQL runs as, may not enter {closed}, "
        "so choose a data folder it can reach, such as /var/lib/image-sync"
    )


def last_lines(text: str) -> str:
    """The last lines of what a program said, indented."""
    return "\n".join(f"  {line}" for line in text.splitlines()[-_LINES:])


@contextmanager
def explain_system(folder: Path) -> Iterator[None]:
    """Turn what the system refuses into our error.

    Raises:
        EmbeddedError: for any OSError of the block.
    """
    try:
        yield
    except OSError as error:
        said = f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        advice = _SYSTEM_ADVICE.get(error.errno or 0, "choose another data folder, or set IMAGE_SYNC_DATABASE_URL")
        raise EmbeddedError(f"The job's own PostgreSQL cannot run in {folder}: {said}; {advice}.") from error
