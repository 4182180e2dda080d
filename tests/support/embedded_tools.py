"""Real processes that use the embedded PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from checkout import CHECKOUT

from sync.embedded.locks import is_free

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PACKAGES = Path(psycopg.__file__).parent.parent
AS_ROOT = os.geteuid() == 0

# Uses the folder in its arguments, prints the URL, and ends when its input ends.
HOLD = """
import sys
from pathlib import Path
from sync.embedded import default_folder, embedded
from sync.errors import EmbeddedError
import os
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder(os.environ)
try:
    with embedded(folder) as server:
        print(server.url, flush=True)
        sys.stdin.read()
except EmbeddedError as error:
    print("EmbeddedError:", error, flush=True)
"""


@dataclass
class Shelf:
    """A folder that every account can enter, with the processes and data folders of one test."""

    path: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def user(
        self,
        folder: Path | None,
        *,
        account: int | None = None,
        environ: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> subprocess.Popen[str]:
        """Start a process that uses a folder, or its default one, until its input ends."""
        python, paths = (sys.executable, []) if account is None else (_open_python(), [str(PACKAGES)])
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *paths]), **(environ or {})}
        process = subprocess.Popen(
            [python, *options, "-c", HOLD, *([str(folder)] if folder else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            cwd="/",
            user=account,
            group=account,
            extra_groups=None if account is None else [],
        )
        self.processes.append(process)
        return process

    def clear(self) -> None:
        """End all processes started here; fail if a server outlives its users."""
        for process in self.processes:
            process.kill()
            process.communicate()
        for lock in self.path.rglob("server.lock"):
            until(lambda lock=lock: is_free(lock))
        shutil.rmtree(self.path)


def new_shelf() -> Shelf:
    """A shelf in the temporary folder, as pytest's own folders are closed to the server's account."""
    path = Path(tempfile.mkdtemp(prefix="shelf-"))
    path.chmod(0o755)
    return Shelf(path)


def said(process: subprocess.Popen[str]) -> str:
    """The next line of a process's output."""
    assert process.stdout
    return process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    """Make a process release the server and end."""
    process.communicate()
    assert process.returncode == 0


def ask(url: str, query: str) -> object:
    """The single value that a query returns."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def do(url: str, *statements: str) -> None:
    """Run statements, each in its own transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def postmaster(folder: Path) -> int:
    """The process id of the running server."""
    (data,) = folder.glob("postgres-*")
    return int((data / "postmaster.pid").read_text().split()[0])


def supervisors(folder: Path) -> list[int]:
    """The process ids of the supervisors of a folder."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = (line.split(maxsplit=1) for line in listed.splitlines())
    return [int(pid) for pid, command in lines if f"embedded/supervisor.py {folder} " in command]


def until(holds: Callable[[], object]) -> None:
    """Wait for up to a minute until a condition holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def account_without_rights() -> int:
    """An ordinary account other than the one that root's server runs as."""
    names = ["nobody", "daemon"]
    with contextlib.suppress(KeyError):
        pwd.getpwnam("postgres")
        return pwd.getpwnam(names[0]).pw_uid
    return pwd.getpwnam(names[1]).pw_uid


def _open_python() -> str:
    """A Python of this version that every account can run, as the tests' own may be in root's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        path = Path(python).resolve()
        if path.exists() and all(parent.stat().st_mode & 0o001 for parent in path.parents):
            return python
    raise pytest.skip.Exception("no Python here that another account can run")
