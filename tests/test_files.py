"""Files are written as a whole, and stay what they are; text is read whoever's editor wrote it."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.files import LARGEST, UnreadableFileError, read_text, write_file


@pytest.fixture
def umask() -> Iterator[None]:
    """The umask of a careful machine."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A reader that opened the old file still has all of it; the new one has the mode that the umask gives."""
    path = tmp_path / "file"
    write_file(path, b"old")
    with path.open("rb") as reader:
        write_file(path, b"new")

        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("umask")
def test_a_new_file_may_have_a_mode_of_its_own(tmp_path: Path) -> None:
    """A file for another user has its mode whatever the umask; one that exists keeps what somebody gave it."""
    path = tmp_path / "file"
    write_file(path, b"old", new_mode=0o644)
    mode = path.stat().st_mode & 0o777
    path.chmod(0o600)
    write_file(path, b"new", new_mode=0o644)

    assert (mode, path.stat().st_mode & 0o777) == (0o644, 0o600)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o604])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """The umask is for new files only."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)

    write_file(path, b"new")

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)


def test_an_existing_file_keeps_its_owner(tmp_path: Path) -> None:
    """A file that somebody prepared for a service stays that service's."""
    path = tmp_path / "file"
    path.touch()
    if os.getuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, 12345, 23456)

    write_file(path, b"new")

    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_one(tmp_path: Path, exists: bool) -> None:  # noqa: FBT001 - a case
    """The file behind a link, and behind the link behind it, is written, even if it does not exist yet."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to("folder/file")
    if exists:
        (tmp_path / "folder" / "file").write_bytes(b"old")

    write_file(tmp_path / "first", b"new")

    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert (tmp_path / "folder" / "file").read_bytes() == b"new"
    assert [each.name for each in (tmp_path / "folder").iterdir()] == ["file"]


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    """The reader of a named pipe receives everything, and the pipe stays one."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()

    write_file(path, b"new" * 100_000)

    reader.join(10)
    assert received == [b"new" * 100_000]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_device_is_written_through(tmp_path: Path) -> None:
    """A device stays one, also behind a link, and its error comes through."""
    (tmp_path / "null").symlink_to("/dev/null")

    write_file(tmp_path / "null", b"new")
    with pytest.raises(OSError, match="No space"):
        write_file(Path("/dev/full"), b"new")

    assert (tmp_path / "null").is_symlink()
    assert Path("/dev/null").is_char_device()
    assert Path("/dev/full").is_char_device()


def test_a_file_without_a_name_is_written_in_place(tmp_path: Path) -> None:
    """What a file descriptor stands for, as /dev/stdout does, is written though its name is gone."""
    path = tmp_path / "file"
    with path.open("w+b") as file:
        path.unlink()

        write_file(Path(f"/dev/fd/{file.fileno()}"), b"new")

        assert file.read() == b"new"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [16, 18, 1, 13])  # a mount, another file system, not ours, not our folder
def test_a_file_that_cannot_be_replaced_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """A file that is mounted by itself can't be replaced; it is written, and no other file is left."""
    path = tmp_path / "file"
    path.write_bytes(b"longer than the new one")
    inode = path.stat().st_ino

    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(Path, "replace", refuse)

    write_file(path, b"new")

    assert (path.read_bytes(), path.stat().st_ino) == (b"new", inode)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """The path is a folder: the error comes through, and the temporary file is gone."""
    folder = tmp_path / "folder"
    folder.mkdir()

    with pytest.raises(OSError, match="directory"):
        write_file(folder, b"new")

    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_text_is_read_whoever_wrote_it(tmp_path: Path, mark: bytes, end: bytes) -> None:
    """A byte order mark and the line ends of another system are no part of the text."""
    path = tmp_path / "file"
    path.write_bytes(mark + "é = 1".encode() + end + b"b = 2" + end)

    assert read_text(path) == "é = 1\nb = 2\n"
    assert read_text(path, limit=30) == "é = 1\nb = 2\n"


def test_text_that_cannot_be_read(tmp_path: Path) -> None:
    """The reason is a sentence, and never quotes the content."""
    (tmp_path / "utf-16").write_bytes("canary".encode("utf-16"))
    (tmp_path / "large").write_bytes(b"x" * 11)

    for name, reason in (("utf-16", "save it as UTF-8"), ("large", "larger than 10 bytes"), ("none", "No such file")):
        with pytest.raises(UnreadableFileError, match=reason) as caught:
            read_text(tmp_path / name, limit=10 if name == "large" else LARGEST)
        assert "canary" not in str(caught.value)
    assert read_text(tmp_path / "large", limit=11) == "x" * 11


def test_a_device_that_never_ends_is_not_read_to_its_end() -> None:
    """Without a limit of its own, a text has one all the same."""
    with pytest.raises(UnreadableFileError, match="larger than 16777216 bytes"):
        read_text(Path("/dev/zero"))
