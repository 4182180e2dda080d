"""A run that is told to stop, or whose time is over, ends at once, whatever the cloud keeps it waiting for."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import breakage
import effects
import pytest
from cloud_tools import Inventory, before_answer
from fault_rules import FaultySimulator
from servers import Server, environment

from sync.errors import DeadlineError, InterruptedRunError
from sync.settings import Token
from sync.simulator import Simulator, World
from sync.store.connection import Target


@pytest.fixture(scope="module")
def target(server_newest: Server) -> Target:
    """One database for all tests of this file; each syncs a source of its own."""
    return Target(server_newest.migrated())


@pytest.fixture
def capped() -> Iterator[Simulator]:
    """A cloud of 90 images in pages of 40: three pages, overlaps counted."""
    with FaultySimulator(World(seed=2, size=90), page_cap=40) as simulator:
        yield simulator


@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_run_that_is_stopped_while_reading_says_so(target: Target, capped: Simulator, nth: int) -> None:
    """The stop comes while a page, or a question for an id, is never answered: interrupted, nothing written."""
    inventory = Inventory(target, capped, concurrency=1)
    inventory.run()
    capped.world.delete(2)
    capped.faults.add(breakage.black_hole(), nth=nth, times=None)
    before_answer(capped, nth, inventory.stop.set)
    inventory.fails(InterruptedRunError)

    assert inventory.last_run()["status"] == "interrupted"


def test_a_run_that_takes_too_long_says_so(target: Target, capped: Simulator) -> None:
    """The deadline ends a run that is fed drop by drop."""
    inventory = Inventory(target, capped)
    inventory.run()
    capped.faults.add(breakage.drip(50), times=None)

    assert "deadline of 1 s" in str(inventory.fails(DeadlineError, deadline=1.0))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "effect",
    [breakage.black_hole(), breakage.drip(20), effects.throttled(1, "10 minute"), effects.status(503)],
    ids=lambda effect: effect.name,
)
def test_a_signal_ends_the_process(
    target: Target, capped: Simulator, effect: effects.Effect, number: signal.Signals
) -> None:
    """SIGTERM and SIGINT while a page is awaited: the process ends in seconds, says so, and the record does too."""
    inventory = Inventory(target, capped)
    inventory.run()
    before = inventory.dump()
    assert isinstance(inventory.source.credentials, Token)
    settings = {
        "IMAGE_SYNC_DATABASE_URL": target.url,
        "IMAGE_SYNC_SOURCE": inventory.source.name,
        "IMAGE_SYNC_ENDPOINT": capped.url,
        "IMAGE_SYNC_TOKEN": capped.token,
        "IMAGE_SYNC_TIMEOUT": "600",
        "IMAGE_SYNC_MAX_RETRIES": "1000",
    }
    capped.faults.add(effect, nth=2, times=None)
    command = [sys.executable, "-m", "sync", "run"]
    with subprocess.Popen(command, env=environment(**settings), stderr=subprocess.PIPE, text=True) as process:
        before_answer(capped, 2, lambda: process.send_signal(number))
        _, told = process.communicate(timeout=60)
    record = inventory.last_run()

    assert process.returncode == 1
    assert "stopped" in told or "ended" in told
    assert (record["status"], record["error"]) == ("interrupted", "InterruptedRunError")
    assert inventory.dump() == before
