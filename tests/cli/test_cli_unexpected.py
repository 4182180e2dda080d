"""An error that nobody foresaw ends a command with a sentence; its traceback is shown on request."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tools import InProcess

from sync.cli import status


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> InProcess:
    """A command line whose ``status`` fails as no part of the program foresees."""

    def fail(_config: object) -> None:
        raise KeyError("token=s3cret-of-a-library")

    monkeypatch.setattr(status, "load", fail)
    return InProcess(tmp_path)


def test_an_unforeseen_error_is_a_sentence(broken: InProcess) -> None:
    """The command exits with 1, and says what kind of error it was and what to do."""
    done = broken("status")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("image-sync: unexpected KeyError")
    assert "please report it" in done.err
    assert "Traceback" not in done.err
    assert "s3cret" not in done.err


def test_its_traceback_is_shown_on_request(broken: InProcess) -> None:
    """With --debug the traceback comes before the sentence."""
    done = broken("--debug", "status")

    assert done.code == 1
    assert done.err.index("Traceback") < done.err.index("unexpected KeyError: ")
