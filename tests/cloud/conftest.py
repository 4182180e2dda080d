"""Fixtures that the tests of the cloud share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_rules import FaultySimulator
from servers import Server

from sync.simulator import Simulator, World
from sync.store.connection import Target


@pytest.fixture(scope="module")
def target(server_newest: Server) -> Target:
    """One database for all tests of one file; each test syncs its own source."""
    return Target(server_newest.migrated())


@pytest.fixture
def small() -> Iterator[Simulator]:
    """A cloud of 60 images: one page."""
    with FaultySimulator(World(seed=2, size=60)) as simulator:
        yield simulator
