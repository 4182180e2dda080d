"""The watcher: starts PostgreSQL, waits until nobody uses it, and stops it. A script that imports nothing of ours.

Arguments: the folder, the data folder, the user and group id to become (or two empty ones), the descriptor of the
watcher's lock, and, if the server does not run yet, the descriptor of the server's lock and the command that starts it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_TICK = 1.0  # seconds between two looks at whether the server is still there
_LOG_CAP = 8 << 20  # bytes
_PATIENCE = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 30.0))  # "fast" shutdown, then "immediate"


def main(arguments: list[str]) -> None:
    """Watch over the server until it ends, or end it once the users' lock is free."""
    folder, data, uid, gid, watcher, *start = arguments
    if os.fork():
        os._exit(0)  # whoever called us neither waits for the watcher nor has to reap it
    os.set_inheritable(int(watcher), False)  # noqa: FBT003 - its parameter has no name
    users = os.open(f"{folder}/users.lock", os.O_RDWR)
    server = os.open(f"{folder}/server.lock", os.O_RDWR)
    if uid:
        _become(int(uid), int(gid))
    child = _start(int(start[0]), start[1:]) if start else 0

    def look(_signal: int, _frame: FrameType | None) -> None:
        _trim_log()
        if _is_over(server, child):
            sys.exit()

    signal.signal(signal.SIGCHLD, look)
    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
    fcntl.flock(users, fcntl.LOCK_EX)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _stop(server, child, data)


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _start(lock: int, command: list[str]) -> int:
    """Start the server, which with all its processes takes over the lock; its process id."""
    child = os.fork()
    if not child:
        os.execv(command[0], command)  # noqa: S606 - a program of the wheel, without a shell
    os.close(lock)
    return child


def _stop(server: int, child: int, data: str) -> None:
    """End the server; those who want to use it wait for the users' lock meanwhile."""
    for how, patience in _PATIENCE:
        pid = child or _noted(data)
        if pid:
            _kill(pid, how)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if _is_over(server, child):
                return
            time.sleep(0.01)


def _is_over(server: int, child: int) -> bool:
    """Whether every process of the server is gone, which a zombie is too; reaps ours."""
    if child:
        _reap(child)
    try:
        fcntl.flock(server, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(server, fcntl.LOCK_UN)
    return True


def _reap(child: int) -> None:
    try:
        os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return  # it was reaped before


def _kill(pid: int, how: signal.Signals) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return  # the postmaster is gone; its processes follow it


def _noted(data: str) -> int:
    """The process id a running server notes; 0 if it has none."""
    try:
        with open(f"{data}/postmaster.pid", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 10 ms to import
            return int(file.readline())
    except (FileNotFoundError, ValueError):
        return 0


def _trim_log() -> None:
    """Keep the log of a server that runs for months from filling the disk."""
    if os.fstat(1).st_size > _LOG_CAP:
        os.ftruncate(1, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
