"""Messages for failures of PostgreSQL and of the system: what failed, and what to do."""

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

_FREE_SPACE = "free some space on the disk of {folder}"
_DAMAGED = "the data is damaged: restore a backup, or move the data folder away to start empty"

_ADVICE = {
    "No space left on device": _FREE_SPACE,
    "Disk quota exceeded": _FREE_SPACE,
    "Read-only file system": "choose a data folder on a disk that can be written",
    "Permission denied": "let the account {account} reach {folder} and own its data, or choose another data folder",
    "has wrong ownership": "make the account {account} the owner of the whole data folder",
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


def explain(directory: ServerDirectory, failure: str, output: str) -> str:
    """One message: what failed, what to do, and the output of PostgreSQL."""
    template = next((advice for sign, advice in _ADVICE.items() if sign in output), "the lines below say why")
    advice = template.format(folder=directory.folder, account=directory.account.name)
    if "Permission denied" in output:
        advice = access_advice(directory) or advice
    return f"{failure} in {directory.folder}: {advice}.\n{output or '(It printed nothing.)'}"


def access_advice(directory: ServerDirectory) -> str | None:
    """What to do if the account may not enter the folder or one above it, else None."""
    closed = directory.account.closed_parent(directory.folder)
    if not closed:
        return None
    return (
        f"the account {directory.account.name}, which PostgreSQL runs as, may not enter {closed}, "
        "so choose a data folder it can reach, such as /var/lib/image-sync"
    )


def last_lines(text: str) -> str:
    """The last lines of a program's output, indented."""
    return "\n".join(f"  {line}" for line in text.splitlines()[-_LINES:])


@contextmanager
def explain_system(folder: Path) -> Iterator[None]:
    """Turn errors of the operating system into ours.

    Raises:
        EmbeddedError: for any OSError of the block.
    """
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        advice = _SYSTEM_ADVICE.get(error.errno or 0, "choose another data folder, or set IMAGE_SYNC_DATABASE_URL")
        raise EmbeddedError(f"The job's own PostgreSQL cannot run in {folder}: {reason}; {advice}.") from error
