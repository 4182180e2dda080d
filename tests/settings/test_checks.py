"""Warnings about settings never keep a command from its work."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.settings import Source, Token
from sync.settings.checks import warnings
from sync.settings.gather import Document, RawValue
from sync.settings.secret import Secret


def test_a_settings_file_that_vanished_is_not_public(tmp_path: Path) -> None:
    """A file that anyone may read and that holds a secret is a warning; one that vanished after it was read is none."""
    file = tmp_path / "image-sync.toml"
    document = Document(defaults={"token": RawValue("secret", "token", tmp_path)})
    file.touch(mode=0o644)
    (warning,) = warnings(file, document, {}, ())
    file.unlink()

    assert "chmod o-r" in warning
    assert list(warnings(file, document, {}, ())) == []


@pytest.mark.parametrize(("iam_endpoint", "warned"), [(None, True), ("https://iam.example.org", False)])
def test_a_project_that_nobody_confirms(iam_endpoint: str | None, *, warned: bool) -> None:
    """With a token whose project only the settings name, no image will be called deleted, which is said beforehand."""
    token = Token(token=Secret("canary"), project_id="p", iam_endpoint=iam_endpoint)
    source = Source(name="s", api="glance", endpoint="https://image.example.org", credentials=token)

    warning = (
        "source s has a token but no iam_endpoint to say whether it is for its project_id, so no image will be called "
        "deleted, only no longer visible"
    )
    assert list(warnings(None, Document(), {}, [source])) == [warning] * warned
