"""Starts the watcher, the one process that outlives us: it starts the server, and stops it when nobody uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from sync.embedded.directory import ServerDirectory
    from sync.embedded.locks import Lock

_SCRIPT = Path(__file__).with_name("supervisor.py")


def launch(place: ServerDirectory, data: Path, command: list[str], watcher: Lock, server: Lock) -> None:
    """Have a new watcher start the server; both locks are handed over, and released when their new holders end."""
    _run(place, data, [str(server.file), *command], [watcher.file, server.file], watcher.file)
    watcher.close()
    server.close()


def adopt(place: ServerDirectory, data: Path, watcher: Lock) -> None:
    """Have a new watcher look after the server that runs already; its lock is handed over."""
    _run(place, data, [], [watcher.file], watcher.file)
    watcher.close()


def _run(place: ServerDirectory, data: Path, command: list[str], files: list[int], watcher: int) -> None:
    account = place.account
    options = account.options()
    drop = [str(account.uid), str(account.gid)] if account.dropped else ["", ""]
    # Without site-packages and environment it starts in 10 ms. Python itself may lie where only root can read it, so
    # the script becomes the account after it has started.
    python = [sys.executable, "-I", "-S", str(_SCRIPT)]
    log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        answer = subprocess.run(  # noqa: S603 - this Python, our script
            [*python, str(place.folder), str(data), *drop, str(watcher), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
            cwd="/",
            env=options["env"],
            pass_fds=files,
            start_new_session=True,
        )
    finally:
        os.close(log)
    if answer.returncode > 0:  # not if it was killed: then the caller finds no server, or no watcher, and tries again
        raise EmbeddedError(f"The watcher of the job's own PostgreSQL does not start; {place.log} says why.")
