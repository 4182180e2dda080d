"""Locks on files, which the kernel releases however their holder ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from sync.errors import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

TIMEOUT = 120.0  # seconds: a crash recovery takes its time
PAUSE = 0.01  # seconds between two attempts


class Lock:
    """One open file to lock. Processes that inherit ``file`` hold the lock together with us."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def take(self, *, shared: bool = False) -> bool:
        """Lock the file if no other holder prevents it; whether that worked."""
        try:
            fcntl.flock(self.file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, *, shared: bool = False, message: str) -> None:
        """Lock the file as soon as no other holder prevents it.

        Raises:
            EmbeddedError: that took too long; it begins with ``message``.
        """
        deadline = time.monotonic() + TIMEOUT
        while not self.take(shared=shared):
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{message} ({self.path} stayed locked for {TIMEOUT:.0f} seconds.)")
            time.sleep(PAUSE)

    def close(self) -> None:
        """Let go of the lock; processes that inherited it still hold it."""
        file, self.file = self.file, -1
        if file >= 0:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextmanager
def held(path: Path, *, message: str) -> Iterator[Lock]:
    """Hold a lock for the length of a block; see ``Lock.wait``."""
    with Lock(path) as lock:
        lock.wait(message=message)
        yield lock


def is_free(path: Path) -> bool:
    """Whether nobody holds this lock right now."""
    with Lock(path) as lock:
        return lock.take()
