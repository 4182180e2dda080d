"""What the kernel tells of processes (Linux): CPU, memory, and who belongs to whom."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK = 0.02  # seconds between two looks at the memory


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it and its children cost.

    Attributes:
        seconds: from its start to its end.
        cpu: seconds of CPU, of the whole tree.
        memory: peak bytes, summed over the tree.
        code: its exit code; negative: the signal that killed it.
    """

    seconds: float
    cpu: float
    memory: int
    code: int


def run(command: Sequence[str], env: Mapping[str, str], log: IO[bytes], limit: float) -> Ended:
    """Run a whole process to its end, or kill it at the limit (seconds)."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    watch = _Watch(process.pid, started + limit)
    watch.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:  # someone wants to stop us, and it would go on
        os.killpg(process.pid, signal.SIGKILL)
        raise
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.end()
    return Ended(seconds, usage.ru_utime + usage.ru_stime, sum(watch.peaks.values()), process.returncode)


def parent(pid: int) -> int:
    """Who started a process."""
    return int(_stat(pid)[1])


def cpu(pid: int) -> float:
    """Seconds of CPU of a process, its living children, and all that have ended and were waited for."""
    own = sum(map(int, _stat(pid)[11:15]))
    return (own + sum(sum(map(int, _stat(child)[11:13])) for child in _children(pid))) / _TICKS


class _Watch(threading.Thread):
    """Notes the peak memory of each process of a tree, and kills the tree when its time is over.

    The peak comes from ``VmHWM``: ``ru_maxrss`` would begin at the size of the harness, which a fork inherits.
    """

    def __init__(self, pid: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self._pid, self._deadline, self._over = pid, deadline, threading.Event()
        self.peaks: dict[int, int] = {}

    def run(self) -> None:
        while not self._over.wait(_LOOK):
            self.peaks |= {pid: peak for pid in _tree(self._pid) if (peak := _peak(pid))}
            if time.perf_counter() > self._deadline:
                os.killpg(self._pid, signal.SIGKILL)
                return

    def end(self) -> None:
        self._over.set()
        self.join()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in _children(pid):
        yield from _tree(child)


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _peak(pid: int) -> int:
    lines = _read(f"/proc/{pid}/status").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def _stat(pid: int) -> list[str]:
    """The fields behind the name, which may hold anything; zeros if the process has ended."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split() or ["0"] * 15


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has ended
