"""Files are replaced as a whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.files import replace_file


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A reader that opened the old file still has all of it; the new one may be read by everyone."""
    path = tmp_path / "file"
    replace_file(path, b"old")
    with path.open("rb") as reader:
        replace_file(path, b"new")

        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """The path is a folder: the error comes through, and the temporary file is gone."""
    folder = tmp_path / "folder"
    folder.mkdir()

    with pytest.raises(OSError, match="directory"):
        replace_file(folder, b"new")

    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
