"""Who the server runs as: PostgreSQL refuses root, so root runs it as an account that may do less."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict

from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from pathlib import Path

_PREFERRED = ("postgres", "nobody")

# The libraries that lend a passwd entry to a container's random user work through these.
_KEPT = ("LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP")


class Options(TypedDict):
    """What ``subprocess`` needs to start a program as the account, told nothing of our environment."""

    cwd: str
    env: dict[str, str]
    user: NotRequired[int]
    group: NotRequired[int]
    extra_groups: NotRequired[list[int]]


@dataclass(frozen=True)
class Account:
    """The account the server runs as; ``dropped`` if that is not the one we run as."""

    name: str
    uid: int
    gid: int
    dropped: bool

    def options(self) -> Options:
        """How ``subprocess`` starts a program as this account."""
        # macOS needs LC_ALL: without it the server starts a thread and then refuses to run.
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        if self.dropped:
            return {"cwd": "/", "env": env, "user": self.uid, "group": self.gid, "extra_groups": []}
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {"cwd": "/", "env": env | kept}

    def own(self, folder: Path) -> None:
        """Give a folder that we have just made to the account."""
        if self.dropped:
            os.chown(folder, self.uid, self.gid, follow_symlinks=False)

    def closed_parent(self, path: Path) -> Path | None:
        """The first folder on the way to ``path`` whose mode keeps the account out, if any."""
        way = [*reversed(path.parents), path]
        return next((folder for folder in way if folder.is_dir() and not self._enters(folder)), None)

    def _enters(self, folder: Path) -> bool:
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & 0o100)
        return bool(found.st_mode & (0o010 if found.st_gid == self.gid else 0o001))


def server_account(owner: int | None) -> Account:
    """The account to run the server as; ``owner`` is the user id the data belongs to, if there is data already.

    Raises:
        EmbeddedError: there is no such account.
    """
    if os.geteuid() != 0:
        return _account(_entry(os.geteuid()), dropped=False)
    if owner:
        return _account(_entry(owner), dropped=True)
    for name in _PREFERRED:
        try:
            return _account(pwd.getpwnam(name), dropped=True)
        except KeyError:
            continue
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody' to run it as: "
        "add one, run as an ordinary user, or set IMAGE_SYNC_DATABASE_URL.",
    )


def own_name() -> str:
    """The name of the account this process runs as."""
    return _entry(os.geteuid()).pw_name


def _account(entry: pwd.struct_passwd, *, dropped: bool) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, dropped)


def _entry(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:
        raise EmbeddedError(
            f"User id {uid} has no entry in /etc/passwd, and PostgreSQL does not run without one: "
            "add the entry, run as a user that has one, or set IMAGE_SYNC_DATABASE_URL.",
        ) from error
