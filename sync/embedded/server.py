"""Starts the server if it does not run, and sees that a watcher will stop it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from sync.embedded.cluster import data_folder
from sync.embedded.config import server_command
from sync.embedded.copies import readable_installation
from sync.embedded.directory import DATABASE, data_folders, socket_in
from sync.embedded.errors import explain, last_lines
from sync.embedded.launcher import adopt, launch
from sync.embedded.locks import PATIENCE, PAUSE, Lock, is_free
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from pathlib import Path

    from sync.embedded.directory import ServerDirectory

_LOG_CAP = 1 << 20  # bytes
_LEFTOVERS = 15.0  # seconds that the remains of a server started by hand may take to go
_TRIES = 3
_STATUS = 7  # the line of postmaster.pid that says what the server is doing, counted from 0

_COMING_OR_GOING = re.compile(r"starting up|shutting down|recovery mode|not yet accepting|terminating connection")


def ensure_running(place: ServerDirectory, guard: Lock) -> None:
    """Bring it about that the server runs, has its database, and is watched. The caller holds the guard.

    Raises:
        EmbeddedError: it does not start; the message holds the last lines of its log.
    """
    place.make_sockets()
    began, killed = time.monotonic(), 0
    while not _answers(place):
        waited = time.monotonic() - began
        said = _start_if_gone(place, guard)
        killed += said is not None
        if said is not None and not _may_pass(said, killed, waited):
            raise EmbeddedError(explain(place, "PostgreSQL does not start", said))
        if waited > PATIENCE:
            raise EmbeddedError(explain(place, "PostgreSQL runs but does not answer", _said(place.log)))
        time.sleep(PAUSE)
    ensure_supervised(place)


def ensure_supervised(place: ServerDirectory) -> None:
    """Give a server whose watcher was killed another one. The caller holds the guard, and is a user."""
    with Lock(place.watcher) as watcher:
        if watcher.take() and not is_free(place.server):
            adopt(place, data_folders(place.folder)[0], watcher)


def _may_pass(said: str, killed: int, waited: float) -> bool:
    """Whether a server that ended while it was starting is worth another try."""
    if "pre-existing shared memory" in said:
        return waited < _LEFTOVERS
    # One that gives up says so; one that was killed (for its memory, say) does not.
    return killed < _TRIES and not re.search("FATAL|PANIC", said)


def _answers(place: ServerDirectory) -> bool:
    """Whether the server takes connections; if it does, its database is there afterwards."""
    if not socket_in(place.sockets).exists():
        return False
    import psycopg  # 0.1 s that a refusal to start need not wait for

    try:
        connection = psycopg.connect(place.url("postgres"), autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        if "FATAL" in str(error) and not _COMING_OR_GOING.search(str(error)):
            raise EmbeddedError(explain(place, "PostgreSQL refuses the connection", last_lines(str(error)))) from error
        return False
    try:
        with connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError) and (not error.sqlstate or error.sqlstate.startswith("57")):
            return False  # it was stopped or killed that very moment
        raise EmbeddedError(explain(place, "PostgreSQL has no database", last_lines(str(error)))) from error
    return True


def _start_if_gone(place: ServerDirectory, guard: Lock) -> str | None:
    """Start the server if all its processes are gone; what it said if it ended again, else None."""
    # In this order: a watcher goes when it sees that nobody holds the server's lock.
    with Lock(place.watcher) as watcher, Lock(place.server) as server:
        if not (watcher.take() and server.take()):
            return None
        installation, major = readable_installation(place)
        data = data_folder(place, installation, major, guard)
        _clear(place, data)
        mark = _rotate(place.log)
        launch(place, data, server_command(place, installation, data), watcher, server)
    while not _is_ready(data):
        if is_free(place.server):
            return _said(place.log, mark)
        time.sleep(PAUSE)
    return None


def _clear(place: ServerDirectory, data: Path) -> None:
    """Remove what a killed server left behind.

    Nobody holds the server's lock, so whatever process has the number noted in these files by now, it is not the
    server: it may be a zombie, or a stranger since the last boot.
    """
    socket = socket_in(place.sockets)
    for path in (data / "postmaster.pid", socket, socket.with_name(f"{socket.name}.lock")):
        path.unlink(missing_ok=True)


def _is_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _STATUS and lines[_STATUS].strip() == "ready"


def _rotate(log: Path) -> int:
    """Keep the log and one before it from growing; the size of the log then."""
    size = log.stat().st_size if log.exists() else 0
    if size < _LOG_CAP:
        return size
    log.rename(log.with_name(f"{log.name}.1"))
    return 0


def _said(log: Path, mark: int = 0) -> str:
    return last_lines(log.read_bytes()[mark:].decode(errors="replace"))
