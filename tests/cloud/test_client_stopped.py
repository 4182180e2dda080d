"""A run that is stopped, or whose deadline is over, ends at once, whatever it is waiting for."""

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
from servers import environment

from sync.errors import DeadlineError, InterruptedRunError
from sync.settings import Token
from sync.simulator import Simulator, World
from sync.store.connection import Target


@pytest.fixture
def capped() -> Iterator[Simulator]:
    """A cloud of 90 images in pages of 40: three pages, overlaps included."""
    with FaultySimulator(World(seed=2, size=90), page_cap=40) as simulator:
        yield simulator


@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_run_that_is_stopped_while_reading_is_interrupted(target: Target, capped: Simulator, nth: int) -> None:
    """A run stopped while it waits for a page or a single image is recorded as interrupted and writes nothing."""
    inventory = Inventory(target, capped, concurrency=1)
    inventory.run()
    capped.world.delete(2)
    capped.faults.add(breakage.black_hole(), nth=nth, times=None)
    before_answer(capped, nth, inventory.stop.set)
    inventory.fails(InterruptedRunError)

    assert inventory.last_run()["status"] == "interrupted"


def test_a_run_that_takes_too_long_ends_at_its_deadline(target: Target, capped: Simulator) -> None:
    """A run whose responses arrive byte by byte ends at its deadline."""
    inventory = Inventory(target, capped)
    inventory.run()
    capped.faults.add(breakage.drip(50), times=None)

    assert "deadline of 1 s" in str(inventory.fails(DeadlineError, deadline=1.0))


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "effect",
    [breakage.black_hole(), breakage.drip(20), effects.throttled(1, "10 minute"), effects.status(503)],
    ids=lambda effect: effect.name,
)
def test_a_signal_ends_the_process(
    target: Target, capped: Simulator, effect: effects.Effect, signal_number: signal.Signals
) -> None:
    """SIGTERM or SIGINT ends a process that waits for a page within seconds, and its run is recorded as interrupted."""
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
        before_answer(capped, 2, lambda: process.send_signal(signal_number))
        _, stderr = process.communicate(timeout=60)
    record = inventory.last_run()

    assert process.returncode == 1
    assert "stopped" in stderr or "ended" in stderr
    assert (record["status"], record["error"]) == ("interrupted", "InterruptedRunError")
    assert inventory.dump() == before
