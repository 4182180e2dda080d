"""The command line in real processes or in this one, and queries of the database that it leaves."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from checkout import CHECKOUT
from click.testing import CliRunner
from psycopg import sql
from servers import Server, environment

from sync.cli import command
from sync.domain.apis import IEC
from sync.domain.fields import Kind

if TYPE_CHECKING:
    from sync.simulator import Simulator, World

PATIENCE = 60  # seconds; only a failing test waits this long
FAST = {"IMAGE_SYNC_MAX_RETRIES": "0"}  # failures are not retried


class Done(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output, one per line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        """The only JSON object on standard output."""
        (row,) = self.rows
        return row


class Job:
    """The command line, with only these settings in its environment."""

    def __init__(self, folder: Path, url: str | None = None, cloud: Simulator | None = None, **settings: str) -> None:
        self.folder = folder
        self.url = url or ""
        self.settings = {"IMAGE_SYNC_DATABASE_URL": url} if url else {}
        if cloud is not None:
            self.settings |= {"IMAGE_SYNC_ENDPOINT": cloud.url, "IMAGE_SYNC_TOKEN": cloud.token}
        self.settings |= settings

    def __call__(self, *arguments: str, **settings: str) -> Done:
        """Run a command to its end."""
        return finished(self.start(*arguments, **settings))

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command; pass the process to ``finished``."""
        return subprocess.Popen(
            [sys.executable, "-m", "sync", *arguments],
            env=self.environ(**settings),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environ(self, **settings: str) -> dict[str, str]:
        """The whole environment of a command."""
        variables = {"PYTHONPATH": str(CHECKOUT), "PYTHONUTF8": "1"} | self.settings | settings
        if "IMAGE_SYNC_ENDPOINT" in variables:  # else the sources and their grace are in a file
            variables = {"IMAGE_SYNC_GRACE": "0"} | variables
        return environment(**variables)

    def on_terminal(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """Run a command on a terminal; return its exit code and everything the terminal received."""
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "sync", *arguments]
        environ = self.environ(TERM="xterm-256color", **settings)
        with subprocess.Popen(command, env=environ, cwd=self.folder, stdin=theirs, stdout=theirs, stderr=theirs) as run:
            os.close(theirs)
            shown = b"".join(iter(lambda: _piece(ours), b""))
        os.close(ours)
        return run.returncode, shown.decode()


class InProcess(Job):
    """The command line in this process, for stories of many commands: a process of its own takes half a second to start.

    Attributes:
        binary: standard output of the last command, which may be no text.
    """

    binary = b""

    def __call__(self, *arguments: str, **settings: str) -> Done:
        """Run a command to its end."""
        with contextlib.chdir(self.folder), _own_logging():
            result = CliRunner().invoke(command, arguments, env=self.environ(**settings))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.binary = result.stdout_bytes
        return Done(result.exit_code, self.binary.decode(errors="replace"), result.stderr)


def finished(process: subprocess.Popen[str]) -> Done:
    """Wait for a command to end."""
    with process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Done(process.returncode, out, err)


def ask(url: str, query: str, *values: object) -> Any:
    """The single value that a query returns."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None


def column(url: str, query: str) -> list[Any]:
    """The first value of each row that a query returns."""
    with psycopg.connect(url, autocommit=True) as connection:
        return [row[0] for row in connection.execute(query.encode())]


def dump(url: str) -> dict[str, list[str]]:
    """Every row of every table with its xmin, and the state of every sequence."""
    names = "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'inventory'::regnamespace"
    rows = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for name, kind in connection.execute(names).fetchall():
            if kind in _SHOWN:
                query = sql.SQL(_SHOWN[kind]).format(sql.Identifier("inventory", name))
                rows[name] = [row[0] for row in connection.execute(query)]
    return rows


def without(tables: Mapping[str, list[str]], *names: str) -> dict[str, list[str]]:
    """A dump without these tables."""
    return {name: rows for name, rows in tables.items() if name not in names}


def stored(url: str, source: str = "default") -> dict[str, dict[str, Any]]:
    """The live images of a source, by id: texts, numbers and booleans under their API names."""
    columns = ", ".join(field.column for field in _PLAIN)
    query = f"SELECT {columns} FROM inventory.images WHERE source = %s AND deleted_at IS NULL"
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(query.encode(), [source]).fetchall()
    return {row[0]: dict(zip([field.api for field in _PLAIN], row, strict=True)) for row in rows}


def served(world: World) -> dict[str, dict[str, Any]]:
    """The cloud's images in the same form as ``stored``."""
    return {name: {field.api: image.get(field.api) for field in _PLAIN} for name, image in world.truth().items()}


def until(holds: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def with_password(server: Server, name: str, password: str) -> str:
    """Create a role with this password; return the URL of an empty database with a placeholder for the password."""
    url = server.empty()
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"host all {name} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        )
        owner.execute("SELECT pg_reload_conf()")
    url = url.replace("owner@", f"{name}:{{}}@")
    until(lambda: not _connects(url.format("wrong")))
    return url


def process_list() -> str:
    """The command lines of all processes on the machine."""
    shown = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended meanwhile
    return "\n".join(shown)


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    """Give logging back as it was, as a command configures it for its process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)


_SHOWN = {
    "r": "SELECT t.xmin::text || t::text FROM {} t ORDER BY 1",
    "S": "SELECT last_value::text || is_called::text FROM {}",
}
_PLAIN = [field for field in IEC.fields if field.kind in {Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN}]


def _piece(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # on Linux: the other end was closed
        return b""


def _connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
