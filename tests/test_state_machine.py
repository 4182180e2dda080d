"""The whole job under everything that can happen to it, in any order: see ``machine.py``.

The quick profile always runs. ``TEST_STATE_MACHINE=2000`` in the environment makes the long one as long as wanted, with
other examples each time; by default both are the same in every run.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import Machine
from servers import Server

MET = (
    *("done", "withheld", "failed", "superseded", "proven", "unproven", "several pages", "drifting and proven"),
    *("created", "updated", "restored", "deleted", "held", "quarantined", "kept", "approved", "approved ones deleted"),
    *("acknowledged", "planned"),
)
"""What the machine must have met to have proven anything."""
EXAMPLES = int(os.environ.get("TEST_STATE_MACHINE", "0"))


def profile(examples: int, steps: int, *, random: bool = False) -> settings:
    """Settings for so many examples of so many steps."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not random,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=random,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )


def play(server: Server, given: settings, *, kills: bool) -> None:
    """Run a machine, and count anew what it meets."""
    Machine.server, Machine.kills = server, kills
    Machine.happened.clear()
    run_state_machine_as_test(Machine, settings=given)


def test_invariants_hold(server: Server) -> None:
    """A short walk keeps all invariants."""
    play(server, profile(8, 20), kills=False)

    assert Machine.happened["proven"] > 10


@pytest.mark.slow
def test_invariants_hold_for_long(server: Server) -> None:
    """A long walk, with real processes really killed, keeps all invariants and meets everything that matters."""
    play(server, profile(EXAMPLES or 40, 25, random=bool(EXAMPLES)), kills=True)

    assert [kind for kind in (*MET, "killed") if not Machine.happened[kind]] == []
