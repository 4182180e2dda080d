"""The account the server runs as: PostgreSQL refuses root, so root runs it as an account with fewer rights."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict

from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from pathlib import Path

_PREFERRED = ("postgres", "nobody")

# Libraries that lend a passwd entry to a container's random user id need these.
_KEPT = ("LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP")


class Options(TypedDict):
    """Arguments for ``subprocess`` that start a program as an account, without our environment."""

    cwd: str
    env: dict[str, str]
    user: NotRequired[int]
    group: NotRequired[int]
    extra_groups: NotRequired[list[int]]


@dataclass(frozen=True)
class Account:
    """The account the server runs as; ``dropped`` if it is another one than ours."""

    name: str
    uid: int
    gid: int
    dropped: bool

    def options(self) -> Options:
        """Arguments for ``subprocess`` that start a program as this account."""
        # macOS needs LC_ALL: without it the server starts a thread and then refuses to run.
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        if self.dropped:
            return {"cwd": "/", "env": env, "user": self.uid, "group": self.gid, "extra_groups": []}
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {"cwd": "/", "env": env | kept}

    def own(self, folder: Path) -> None:
        """Make the account the owner of a folder that we have just created."""
        if self.dropped:
            os.chown(folder, self.uid, self.gid, follow_symlinks=False)

    def closed_parent(self, path: Path) -> Path | None:
        """The first folder on the way to ``path``, or ``path`` itself, that the account may not enter."""
        folders = [*reversed(path.parents), path]
        return next((folder for folder in folders if folder.is_dir() and not self._may_enter(folder)), None)

    def _may_enter(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))


def server_account(owner: int | None) -> Account:
    """The account to run the server as; ``owner`` is the user id that owns the data, if there is data already.

    Raises:
        EmbeddedError: there is no such account.
    """
    if os.geteuid() != 0:
        return account_of(os.geteuid())
    if owner:
        return account_of(owner)
    for name in _PREFERRED:
        with suppress(KeyError):
            return account_of(pwd.getpwnam(name).pw_uid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody' to run it as: "
        "add one, run as an ordinary user, or set IMAGE_SYNC_DATABASE_URL.",
    )


def account_of(uid: int) -> Account:
    """The account with this user id.

    Raises:
        EmbeddedError: it has no entry in /etc/passwd.
    """
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as error:
        raise EmbeddedError(
            f"User id {uid} has no entry in /etc/passwd, and PostgreSQL does not run without one: "
            "add the entry, run as a user that has one, or set IMAGE_SYNC_DATABASE_URL.",
        ) from error
    return Account(entry.pw_name, uid, entry.pw_gid, dropped=uid != os.geteuid())
