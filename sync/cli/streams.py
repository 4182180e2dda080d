"""Standard output and standard error of a process, whether they are open, closed, full or a broken pipe."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from sync.errors import OutputClosedError, OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Output(io.FileIO):
    """Standard output: what can't be written ends the command with an error of ours."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            raise OutputClosedError from error
        except OSError as error:
            raise OutputError(f"the output can't be written: {error.strerror}") from error


class _Errors(io.FileIO):
    """Standard error: what can't be written is lost, and the command goes on."""

    def write(self, data: ReadableBuffer, /) -> int:
        with suppress(OSError):
            super().write(data)
        return len(memoryview(data).cast("B"))


def prepare() -> None:
    """Replace the standard streams of the process by ours, and open those that the caller closed.

    Were they left closed, the next file or connection would take their number, and receive what is written to them.
    """
    # To write what can only be read fails, as it does on a closed stream.
    for name, flags in (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            os.set_inheritable(os.open(os.devnull, flags), True)  # noqa: FBT003 - the lowest number that is free
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open to the end
    sys.stdout = _text(_Output(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Errors(2, "w", closefd=False), sys.stderr, line_buffering=True)


def discard_output() -> None:
    """Discard what could not be written to standard output, and all that is written to it from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    sys.stdout.flush()


def _text(raw: io.FileIO, before: TextIO | None, *, line_buffering: bool = False) -> io.TextIOWrapper:
    """A stream of text in the encoding of the one before, which writes escapes for what that encoding lacks."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(before, "encoding", "utf-8"),
        errors="backslashreplace",
        line_buffering=line_buffering or raw.isatty(),
    )
