"""A plugin with folders for the tests of the embedded PostgreSQL."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from embedded_tools import Shelf, new_shelf

from sync.embedded import embedded, wait_until_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """A folder that every account can enter; no server may be left in it."""
    shelf = new_shelf()
    yield shelf
    shelf.clear()


@pytest.fixture(scope="session")
def finished_folder() -> Iterator[Path]:
    """A data folder after its first start."""
    shelf = new_shelf()
    with embedded(shelf.path / "data"):
        pass
    wait_until_stopped(shelf.path / "data")
    yield shelf.path / "data"
    shelf.clear()


@pytest.fixture
def folder(shelf: Shelf, finished_folder: Path) -> Path:
    """This test's own data folder after its first start, which saves half a second."""
    subprocess.run(["cp", "-a", finished_folder, shelf.path / "data"], check=True)
    return shelf.path / "data"


@pytest.fixture
def fresh_folder(shelf: Shelf) -> Path:
    """A data folder that does not exist yet."""
    return shelf.path / "data"
