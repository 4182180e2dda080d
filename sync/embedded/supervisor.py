"""The supervisor: starts PostgreSQL, waits until nobody uses it, and stops it. A script that imports nothing of ours.

Arguments: the folder, the data folder, the user and group id to change to (or two empty ones), the descriptor of the
supervisor's lock, and, if the server does not run yet, the descriptor of the server's lock and the command to start it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

_TICK = 1.0  # seconds between two checks whether the server still runs
_MAX_LOG = 8 << 20  # bytes
_STOPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 30.0))  # "fast" shutdown, then "immediate"; seconds to wait for each


def main(arguments: list[str]) -> None:
    """Watch the server until it ends, or stop it as soon as the users' lock is free."""
    folder, data, uid, gid, own_lock, *start = arguments
    if os.fork():
        os._exit(0)  # the launcher neither waits for the supervisor nor has to reap it
    os.set_inheritable(int(own_lock), False)  # noqa: FBT003 - its parameter has no name
    users = os.open(f"{folder}/users.lock", os.O_RDWR)
    server = os.open(f"{folder}/server.lock", os.O_RDWR)
    if uid:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    child = _start(int(start[0]), start[1:]) if start else 0

    def check(_signal: int, _frame: object) -> None:
        if os.fstat(1).st_size > _MAX_LOG:  # the log of a server that runs for months must not fill the disk
            os.ftruncate(1, 0)
        if _is_over(server, child):
            sys.exit()

    signal.signal(signal.SIGCHLD, check)
    signal.signal(signal.SIGALRM, check)
    signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
    fcntl.flock(users, fcntl.LOCK_EX)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _stop(server, child, data)


def _start(lock: int, command: list[str]) -> int:
    """Start the server, whose processes take over the lock; its process id."""
    child = os.fork()
    if not child:
        os.execv(command[0], command)  # noqa: S606 - a program of the wheel, without a shell
    os.close(lock)
    return child


def _stop(server: int, child: int, data: str) -> None:
    """Stop the server; new users wait for the users' lock meanwhile."""
    for stop, timeout in _STOPS:
        pid = child or _pid_in(data)
        if pid:
            _send(pid, stop)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if _is_over(server, child):
                return
            time.sleep(0.01)


def _is_over(server: int, child: int) -> bool:
    """Whether every process of the server is gone or a zombie; reaps ours."""
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


def _send(pid: int, stop: signal.Signals) -> None:
    try:
        os.kill(pid, stop)
    except ProcessLookupError:
        return  # the postmaster is gone; its processes follow it


def _pid_in(data: str) -> int:
    """The process id in the running server's postmaster.pid; 0 if there is none."""
    try:
        with open(f"{data}/postmaster.pid", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 10 ms to import
            return int(file.readline())
    except (FileNotFoundError, ValueError):
        return 0


if __name__ == "__main__":
    main(sys.argv[1:])
