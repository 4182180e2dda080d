"""Warnings about settings never keep a command from its work."""

from __future__ import annotations

from pathlib import Path

from sync.settings.checks import warnings
from sync.settings.gather import Document, RawValue


def test_a_settings_file_that_vanished_is_not_public(tmp_path: Path) -> None:
    """A file that anyone may read and that holds a secret is a warning; one that vanished after it was read is none."""
    file = tmp_path / "image-sync.toml"
    document = Document(defaults={"token": RawValue("secret", "token", tmp_path)})
    file.touch(mode=0o644)
    (warning,) = warnings(file, document, {}, ())
    file.unlink()

    assert "chmod o-r" in warning
    assert list(warnings(file, document, {}, ())) == []
