"""The folder of the embedded PostgreSQL: what lies where in it, and whether it is safe to use."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sync.embedded.account import Account, server_account
from sync.errors import EmbeddedError

USER = DATABASE = "image_sync"
PORT = 5432

# Linux takes 107 bytes, macOS 103.
_LONGEST_SOCKET = 100


@dataclass(frozen=True)
class ServerDirectory:
    """The folder, with every symbolic link on the way to it resolved, and the account its server runs as."""

    folder: Path
    account: Account

    @property
    def guard(self) -> Path:
        """Locked by the one process that looks after the server right now."""
        return self.folder / "guard.lock"

    @property
    def users(self) -> Path:
        """Shared by all who use the server; its watcher waits to have it alone."""
        return self.folder / "users.lock"

    @property
    def watcher(self) -> Path:
        """Locked by the watcher as long as it lives."""
        return self.folder / "watcher.lock"

    @property
    def server(self) -> Path:
        """Locked by PostgreSQL's processes as long as one of them lives."""
        return self.folder / "server.lock"

    @property
    def log(self) -> Path:
        """What the server and its watcher say."""
        return self.folder / "server.log"

    @property
    def sockets(self) -> Path:
        """The private folder of the server's socket, short enough to work.

        It depends on nothing but the folder and the account, so that all processes find the same.
        """
        inside = self.folder / "run"
        # libpq takes a comma for a list of hosts.
        if len(os.fsencode(socket_in(inside))) <= _LONGEST_SOCKET and not re.search(r'[,"\n]', str(inside)):
            return inside
        digest = hashlib.blake2b(os.fsencode(self.folder), digest_size=8).hexdigest()
        # TMPDIR differs between processes, and on macOS it is long itself.
        return Path(f"/tmp/image-sync-{self.account.uid}-{digest}")  # noqa: S108 - its owner and mode are verified

    def data(self, major: int) -> Path:
        """The data of one major version of PostgreSQL."""
        return self.folder / f"postgres-{major}"

    def url(self, database: str = DATABASE) -> str:
        """How libpq, psycopg and SQLAlchemy find a database of the server; there is no secret in it."""
        # The port is named because PGPORT would change it.
        return f"postgresql://{USER}@/{database}?host={quote(str(self.sockets), safe='')}&port={PORT}"

    def make_sockets(self) -> None:
        """Make the socket's folder, or see that the one that is there is ours alone.

        Raises:
            EmbeddedError: it belongs to someone else, or is open to others.
        """
        if _make(self.sockets, 0o700):
            self.account.own(self.sockets)
        self.check_sockets()

    def check_sockets(self) -> None:
        """See that the socket's folder, which is there, is ours alone.

        Raises:
            EmbeddedError: it belongs to someone else, or is open to others.
        """
        folder = self.sockets
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.account.uid or found.st_mode & 0o077:
            raise EmbeddedError(
                f"{folder} must be a folder of the account {self.account.name} with mode 0700, and is not: remove it, "
                "or choose another data folder (with a shorter path, if that one is in /tmp).",
            )


def place_at(folder: Path) -> ServerDirectory:
    """Make the folder if it is missing, and see that nobody else can plant anything in it.

    Raises:
        EmbeddedError: it is not safe to use, or there is no account to run the server as.
        OSError: it cannot be made.
    """
    folder = resolved(folder)
    _make_all(folder)
    return existing(folder)


def existing(folder: Path) -> ServerDirectory:
    """What lies in a folder that is there, its path resolved; nothing is made.

    Raises:
        EmbeddedError: it is not safe to use, or there is no account to run the server as.
        OSError: it can't be looked into.
    """
    _refuse_shared(folder)
    owners = [data.lstat().st_uid for data in data_folders(folder)]
    return ServerDirectory(folder, server_account(owners[0] if owners else None))


def resolved(folder: Path) -> Path:
    """The folder without symbolic links on the way to it."""
    return Path(os.path.realpath(folder.expanduser()))


def data_folders(folder: Path) -> list[Path]:
    """The data of all major versions that are there, the newest first."""
    found = [path for path in folder.iterdir() if re.fullmatch(r"postgres-\d+", path.name)]
    return sorted(found, key=major_of, reverse=True)


def major_of(data: Path) -> int:
    """The major version in the name of a data folder."""
    return int(data.name.removeprefix("postgres-"))


def socket_in(folder: Path) -> Path:
    """The server's socket."""
    return folder / f".s.PGSQL.{PORT}"


def _make_all(folder: Path) -> None:
    # The account that root's server runs as must get through, and see nothing else.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for path in [*reversed(folder.parents), folder]:
        _make(path, mode)


def _make(folder: Path, mode: int) -> bool:
    """Make one folder with exactly this mode; False, and nothing changed, if it was there."""
    if folder.exists():
        return False
    try:
        folder.mkdir(mode)
    except FileExistsError:
        return False
    folder.chmod(mode)  # whatever the umask
    return True


def _refuse_shared(folder: Path) -> None:
    if os.geteuid() != 0:
        return
    found = folder.stat()
    if found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedError(
            f"{folder} belongs to another user or lets others write in it, so root does not keep a database there: "
            f"choose a folder of root's alone, such as {folder / 'image-sync'} or /var/lib/image-sync.",
        )
