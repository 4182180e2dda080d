"""Two schedulers on a faulty cloud, killed and stopped at random, for 20 seconds or as long as ``SOAK_SECONDS`` says.

SOAK_SECONDS=600 python -m pytest -s tests/properties/test_soak.py
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import breakage
import effects
import pytest
from cli_tools import Job, ask, column, until
from fault_rules import FaultySimulator
from servers import Server

from sync.simulator import Simulator, World
from sync.store.connection import Target, connect
from sync.store.queries.invariants import violations

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
ENDED = {0, -signal.SIGKILL}


class Scheduler:
    """A scheduler that is started, watched, ended, and started again."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.codes: list[int] = []
        self.memory: list[int] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it handles signals."""
        self._process = self._job.start("schedule", "--every", "2s", "--grace", "1s")
        until(lambda: self._hears(signal.SIGTERM))  # an earlier signal would end any program

    def _hears(self, number: signal.Signals) -> bool:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (number - 1) & 1)

    def look(self) -> None:
        """Record its memory in MiB; fail if it ended by itself."""
        assert self._process is not None
        assert self._process.poll() is None, self._process.communicate()
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        self.memory.append(int(status.partition("VmRSS:")[2].split()[0]) // 1024)

    def end(self, how: signal.Signals) -> None:
        """End it with this signal, and record its exit code."""
        assert self._process is not None
        self._process.send_signal(how)
        out, err = self._process.communicate(timeout=60)
        assert (out, "Traceback" in err) == ("", False), err
        self.codes.append(self._process.returncode)


def harm(cloud: Simulator, chance: random.Random) -> None:
    """Make the next answers fail, and change the cloud."""
    wrong = (
        lambda: breakage.truncate(100),
        lambda: effects.status(503),
        lambda: effects.total_off(3),
        lambda: effects.images("empty"),
        lambda: breakage.drip(400_000),
        lambda: effects.hidden(sorted(cloud.world.truth())[:30]),
    )
    cloud.faults.add(chance.choice(wrong)(), times=chance.randint(1, 4))
    cloud.world.churn(chance.randint(0, 30))


@pytest.mark.long
def test_nothing_is_lost_whatever_is_killed(server: Server, tmp_path: Path) -> None:
    """All invariants and exit codes hold, only killed runs lack an end, and memory stays flat."""
    chance, deadline = random.Random(7), time.monotonic() + SECONDS
    target = Target(server.migrated())
    with FaultySimulator(World(seed=1, size=2_000)) as cloud:
        job = Job(tmp_path, target.url, cloud, IMAGE_SYNC_MAX_RETRIES="3", IMAGE_SYNC_DEADLINE="20s")
        schedulers = [Scheduler(job), Scheduler(job)]
        for scheduler in schedulers:
            scheduler.start()
        while time.monotonic() < deadline:
            time.sleep(chance.uniform(1, 4))
            harm(cloud, chance)
            for scheduler in schedulers:
                scheduler.look()
            if chance.random() < 0.4:
                scheduler = chance.choice(schedulers)
                scheduler.end(chance.choice([signal.SIGTERM, signal.SIGKILL]))
                scheduler.start()
        for scheduler in schedulers:
            scheduler.end(signal.SIGTERM)
        cloud.faults.clear()
        last = job("run", "--format", "json")

    statuses = column(job.url, "SELECT status FROM inventory.runs ORDER BY run")
    kills = sum(scheduler.codes.count(-signal.SIGKILL) for scheduler in schedulers)
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    print(f"{len(statuses)} runs {counts}, {kills} kills, {[max(scheduler.memory) for scheduler in schedulers]} MiB")  # noqa: T201 - for who runs it long
    assert all(set(scheduler.codes) <= ENDED for scheduler in schedulers)
    assert statuses.count("running") + statuses.count("abandoned") <= kills
    assert max(max(scheduler.memory) for scheduler in schedulers) < 160
    assert last.code in {0, 4}
    with connect(target) as connection:
        assert violations(connection) == []
    assert ask(job.url, "SELECT max(effective_at) FROM inventory.runs") is not None
