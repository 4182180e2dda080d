"""Start the server if it does not run, and make sure that a supervisor will stop it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from sync.embedded.cluster import ensure_data
from sync.embedded.directory import DATABASE, data_folders, socket_in
from sync.embedded.errors import explain, last_lines
from sync.embedded.installation import readable_installation
from sync.embedded.launcher import adopt, launch
from sync.embedded.locks import PAUSE, TIMEOUT, Lock, is_free
from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from pathlib import Path

    from sync.embedded.directory import ServerDirectory

_MAX_LOG = 1 << 20  # bytes
_LEFTOVERS = 15.0  # seconds that the remains of a server started by hand may take to end
_TRIES = 3
_STATUS = 7  # the line of postmaster.pid with the state of the server, counted from 0

_STARTING_OR_STOPPING = re.compile(
    r"starting up|shutting down|recovery mode|not yet accepting|terminating connection",
)


def ensure_running(directory: ServerDirectory, guard: Lock) -> None:
    """Make sure that the server runs, has its database, and is supervised. The caller holds the guard.

    Raises:
        EmbeddedError: it does not start; the message has the last lines of its log.
    """
    directory.make_sockets()
    began, failures = time.monotonic(), 0
    while not _answers(directory):
        waited = time.monotonic() - began
        output = _start_if_gone(directory, guard)
        failures += output is not None
        if output is not None and not _worth_retrying(output, failures, waited):
            raise EmbeddedError(explain(directory, "PostgreSQL does not start", output))
        if waited > TIMEOUT:
            raise EmbeddedError(explain(directory, "PostgreSQL runs but does not answer", _log_from(directory.log, 0)))
        time.sleep(PAUSE)
    ensure_supervised(directory)


def ensure_supervised(directory: ServerDirectory) -> None:
    """Give the server a new supervisor if the old one was killed. The caller holds the guard, and is a user."""
    with Lock(directory.supervisor) as supervisor:
        if supervisor.take() and not is_free(directory.server):
            adopt(directory, data_folders(directory.folder)[0], supervisor)


def _worth_retrying(output: str, failures: int, waited: float) -> bool:
    """Whether to start a server again that ended while it was starting."""
    if "pre-existing shared memory" in output:
        return waited < _LEFTOVERS
    # A server that gives up says so; one that was killed (to free memory, say) does not.
    return failures < _TRIES and not re.search("FATAL|PANIC", output)


def _answers(directory: ServerDirectory) -> bool:
    """Whether the server accepts connections; if so, its database exists afterwards."""
    if not socket_in(directory.sockets).exists():
        return False
    import psycopg  # 0.1 s that a refusal to start need not wait for

    try:
        connection = psycopg.connect(directory.url("postgres"), autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        if "FATAL" in str(error) and not _STARTING_OR_STOPPING.search(str(error)):
            message = explain(directory, "PostgreSQL refuses the connection", last_lines(str(error)))
            raise EmbeddedError(message) from error
        return False
    try:
        with connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError) and (not error.sqlstate or error.sqlstate.startswith("57")):
            return False  # it was stopped or killed at that very moment
        raise EmbeddedError(explain(directory, "PostgreSQL has no database", last_lines(str(error)))) from error
    return True


def _start_if_gone(directory: ServerDirectory, guard: Lock) -> str | None:
    """Start the server if all its processes are gone; its output if it ended again, else None."""
    # In this order: a supervisor ends when it sees that nobody holds the server's lock.
    with Lock(directory.supervisor) as supervisor, Lock(directory.server) as server:
        if not (supervisor.take() and server.take()):
            return None
        installation, major = readable_installation(directory)
        data = ensure_data(directory, installation, major, guard)
        _remove_leftovers(directory, data)
        size = _rotate(directory.log)
        launch(directory, installation, data, supervisor, server)
    while not _is_ready(data):
        if is_free(directory.server):
            return _log_from(directory.log, size)
        time.sleep(PAUSE)
    return None


def _remove_leftovers(directory: ServerDirectory, data: Path) -> None:
    """Remove the files of a killed server.

    Nobody holds the server's lock, so whatever process has the id in these files now is not the server: it may be a
    zombie, or since the last boot a stranger.
    """
    socket = socket_in(directory.sockets)
    for path in (data / "postmaster.pid", socket, socket.with_name(f"{socket.name}.lock")):
        path.unlink(missing_ok=True)


def _is_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _STATUS and lines[_STATUS].strip() == "ready"


def _rotate(log: Path) -> int:
    """Set a large log aside, and keep one earlier log; the size in bytes of the log to append to."""
    size = log.stat().st_size if log.exists() else 0
    if size < _MAX_LOG:
        return size
    log.rename(log.with_name(f"{log.name}.1"))
    return 0


def _log_from(log: Path, start: int) -> str:
    return last_lines(log.read_bytes()[start:].decode(errors="replace"))
