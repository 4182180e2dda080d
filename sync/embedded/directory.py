"""The folder of the embedded PostgreSQL: its files, and whether it is safe to use."""

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

# Linux allows 107 bytes, macOS 103.
_LONGEST_SOCKET = 100


@dataclass(frozen=True)
class ServerDirectory:
    """The folder, its symbolic links resolved, and the account its server runs as."""

    folder: Path
    account: Account

    @property
    def guard(self) -> Path:
        """Lock of the one process that may start the server or its supervisor."""
        return self.folder / "guard.lock"

    @property
    def users(self) -> Path:
        """Lock shared by all users of the server; the supervisor waits to hold it alone."""
        return self.folder / "users.lock"

    @property
    def supervisor(self) -> Path:
        """Lock held by the supervisor as long as it lives."""
        return self.folder / "supervisor.lock"

    @property
    def server(self) -> Path:
        """Lock held by PostgreSQL's processes as long as one of them lives."""
        return self.folder / "server.lock"

    @property
    def log(self) -> Path:
        """Log of the server and its supervisor."""
        return self.folder / "server.log"

    @property
    def sockets(self) -> Path:
        """The private folder of the server's socket, with a path short enough to work.

        It depends only on the folder and the account, so that all processes compute the same.
        """
        inside = self.folder / "run"
        # libpq takes a comma for a list of hosts.
        if len(os.fsencode(socket_in(inside))) <= _LONGEST_SOCKET and not re.search(r'[,"\n]', str(inside)):
            return inside
        digest = hashlib.blake2b(os.fsencode(self.folder), digest_size=8).hexdigest()
        # TMPDIR differs between processes, and on macOS it is long itself.
        return Path(f"/tmp/image-sync-{self.account.uid}-{digest}")  # noqa: S108 - its owner and mode are verified

    def data(self, major: int) -> Path:
        """The data folder of one major version of PostgreSQL."""
        return self.folder / f"postgres-{major}"

    def url(self, database: str = DATABASE) -> str:
        """The URL of a database of the server, for libpq, psycopg and SQLAlchemy; it contains no secret."""
        # The port is named because PGPORT would change it.
        return f"postgresql://{USER}@/{database}?host={quote(str(self.sockets), safe='')}&port={PORT}"

    def make_sockets(self) -> None:
        """Create the socket's folder, or verify that the existing one is ours alone.

        Raises:
            EmbeddedError: it belongs to someone else, or is open to others.
        """
        if _make(self.sockets, 0o700):
            self.account.own(self.sockets)
        self.check_sockets()

    def check_sockets(self) -> None:
        """Verify that the existing folder of the socket is ours alone.

        Raises:
            EmbeddedError: it belongs to someone else, or is open to others.
        """
        status = self.sockets.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != self.account.uid or status.st_mode & 0o077:
            raise EmbeddedError(
                f"{self.sockets} must be a folder of the account {self.account.name} with mode 0700, and is not: "
                "remove it, or choose another data folder (with a shorter path, if that one is in /tmp).",
            )


def make_directory(folder: Path) -> ServerDirectory:
    """Create the folder if it is missing, and verify that nobody else can put anything into it.

    Raises:
        EmbeddedError: it is not safe to use, or there is no account to run the server as.
        OSError: it cannot be created.
    """
    folder = resolved(folder)
    # The account that root's server runs as must be able to pass through, and see nothing else.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for path in [*reversed(folder.parents), folder]:
        _make(path, mode)
    return existing(folder)


def existing(folder: Path) -> ServerDirectory:
    """The directory in an existing folder with a resolved path; nothing is created.

    Raises:
        EmbeddedError: it is not safe to use, or there is no account to run the server as.
        OSError: it cannot be read.
    """
    status = folder.stat()
    if os.geteuid() == 0 and (status.st_uid != 0 or status.st_mode & 0o022):
        raise EmbeddedError(
            f"{folder} belongs to another user or lets others write in it, so root does not keep a database there: "
            f"choose a folder of root's alone, such as {folder / 'image-sync'} or /var/lib/image-sync.",
        )
    owners = [data.lstat().st_uid for data in data_folders(folder)]
    return ServerDirectory(folder, server_account(owners[0] if owners else None))


def resolved(folder: Path) -> Path:
    """The folder with all symbolic links resolved."""
    return Path(os.path.realpath(folder.expanduser()))


def data_folders(folder: Path) -> list[Path]:
    """The data folders of all major versions, the newest first."""
    folders = [path for path in folder.iterdir() if re.fullmatch(r"postgres-\d+", path.name)]
    return sorted(folders, key=major_of, reverse=True)


def major_of(data: Path) -> int:
    """The major version in the name of a data folder."""
    return int(data.name.removeprefix("postgres-"))


def socket_in(folder: Path) -> Path:
    """The server's socket in its folder."""
    return folder / f".s.PGSQL.{PORT}"


def _make(folder: Path, mode: int) -> bool:
    """Create one folder with exactly this mode; False, with nothing changed, if it exists."""
    if folder.exists():
        return False
    try:
        folder.mkdir(mode)
    except FileExistsError:
        return False
    folder.chmod(mode)  # whatever the umask
    return True
