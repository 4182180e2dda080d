"""Files as people have them: text with a byte order mark, symbolic links, pipes, devices, mounted files."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from errno import EACCES, EBUSY, EPERM, EROFS, EXDEV
from pathlib import Path

LARGEST = 16 * 2**20  # bytes; some devices never end
# A file that is mounted by itself can't be replaced, and neither can one in a folder that we may not write to.
_IRREPLACEABLE = {EACCES, EBUSY, EPERM, EROFS, EXDEV}


class UnreadableFileError(Exception):
    """A text file can't be read; the message is the reason, and names no file."""


def read_text(path: Path, limit: int = LARGEST) -> str:
    """The text of a file that a person wrote: in UTF-8, with or without a byte order mark, whatever ends its lines.

    Args:
        path: the file.
        limit: how many bytes it may have.

    Raises:
        UnreadableFileError: it can't be opened, is too large, or is not UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UnreadableFileError(error.strerror or str(error)) from error
    if len(content) > limit:
        raise UnreadableFileError(f"it is larger than {limit} bytes")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:  # its text quotes the content, which may be a secret
        raise UnreadableFileError("it is not UTF-8 text; save it as UTF-8") from None


def write_file(path: Path, content: bytes, *, new_mode: int | None = None) -> None:
    """Write a file as a whole, so that nobody reads half of it.

    A symbolic link stays one, and the file behind it is written. An existing file keeps its owner and mode.
    What can't be replaced (a pipe, a device, a file that is mounted by itself or in
    a folder that we may not write to) is written in place.

    Args:
        path: the file.
        content: all of it.
        new_mode: the mode of a file that does not exist yet; None for what the umask gives.

    Raises:
        OSError: it can't be written; a file that can be replaced is as it was.
    """
    real = Path(os.path.realpath(path))
    try:
        status = path.stat()
    except FileNotFoundError:
        _replace(real, content, None, new_mode)
        return
    # Behind /dev/stdout there may be a pipe, or a file that has no name any more.
    if stat.S_ISREG(status.st_mode) and real.exists() and real.samefile(path):
        try:
            _replace(real, content, status, stat.S_IMODE(status.st_mode))
        except OSError as error:
            if error.errno not in _IRREPLACEABLE:
                raise
        else:
            return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(content)


def _replace(path: Path, content: bytes, status: os.stat_result | None, mode: int | None) -> None:
    """Put a new file in the place of another one, with its owner and mode, or where there is none."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if status is not None:
                os.fchown(handle, status.st_uid, status.st_gid)
            if mode is not None:
                os.fchmod(handle, mode)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
