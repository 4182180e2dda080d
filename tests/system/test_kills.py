"""Whether a run is stopped, overtaken or killed, alone or scheduled, the tables tell the truth."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import breakage
import psycopg
import pytest
from cli_tools import Job, ask, column, dump, finished, served, stored, until, without
from effects import Effect
from fault_rules import FaultySimulator

from sync.signals import Stop
from sync.simulator import Simulator, World
from sync.store.connection import Target

STATUSES = "SELECT status FROM inventory.runs ORDER BY run"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
# No run of these tests may end because of its own timeouts.
ENDLESS = {"IMAGE_SYNC_TIMEOUT": "600", "IMAGE_SYNC_DEADLINE": "3600", "IMAGE_SYNC_LOCK_TIMEOUT": "600"}


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """A job with a database and a cloud."""
    return Job(tmp_path, target.url, cloud, **ENDLESS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("effect", [breakage.black_hole(), breakage.drip(10)], ids=["silence", "drip"])
def test_a_signal_ends_a_run_that_waits_for_the_cloud(
    job: Job, cloud: Simulator, effect: Effect, number: signal.Signals
) -> None:
    """A signal ends the run at once with exit code 1; it is recorded as interrupted and changes no other table."""
    cloud.faults.add(effect, times=None)
    running = job.start("run", "--format", "json")
    until(cloud.journal.answers)
    before = dump(job.url)
    running.send_signal(number)
    done = finished(running)

    assert (done.code, done.row["status"]) == (1, "interrupted")
    assert "Traceback" not in done.err
    assert column(job.url, STATUSES) == ["interrupted"]
    assert without(dump(job.url), "runs") == without(before, "runs")


def test_a_signal_ends_a_run_that_waits_for_the_database(job: Job) -> None:
    """A signal during the writing transaction ends the run with exit code 1, and nothing is written."""
    with psycopg.connect(job.url) as other:
        other.execute("LOCK TABLE inventory.images IN SHARE MODE")
        running = job.start("run", "--format", "json")
        until(lambda: ask(job.url, WAITING))
        running.send_signal(signal.SIGTERM)
        done = finished(running)

    assert (done.code, done.row["status"]) == (1, "interrupted")
    assert column(job.url, STATUSES) == ["interrupted"]
    assert (stored(job.url), ask(job.url, "SELECT epoch FROM inventory.sources")) == ({}, 0)


def test_one_of_two_concurrent_runs_commits(job: Job, cloud: Simulator) -> None:
    """Of two concurrent runs the first to write commits; the other exits with 3 and writes only its record."""
    cloud.faults.before_answer = _once(lambda: until(lambda: column(job.url, STATUSES) == ["running", "running"]))
    both = [job.start("run", "--format", "json") for _ in range(2)]
    results = sorted((finished(process) for process in both), key=lambda each: each.code)

    assert [each.code for each in results] == [0, 3]
    assert [each.row["status"] for each in results] == ["done", "superseded"]
    assert sorted(column(job.url, STATUSES)) == ["done", "superseded"]
    assert stored(job.url) == served(cloud.world)
    assert ask(job.url, "SELECT count(*) FROM inventory.image_versions") == 0


def test_a_run_killed_while_writing_writes_nothing(job: Job, cloud: Simulator) -> None:
    """A run ended by kill -9 in its transaction writes nothing, and the next run writes everything."""
    with psycopg.connect(job.url) as other:
        other.execute("LOCK TABLE inventory.images IN SHARE MODE")
        running = job.start("run")
        until(lambda: ask(job.url, WAITING))
        running.kill()
        killed = finished(running)
    until(lambda: not ask(job.url, WAITING))
    nothing = stored(job.url)
    done = job("run", "--format", "json")

    assert (killed.code, nothing) == (-signal.SIGKILL, {})
    assert (done.code, done.row["created"]) == (0, 1200)
    assert column(job.url, STATUSES) == ["abandoned", "done"]


@pytest.mark.long
def test_the_next_run_recovers_from_kills_at_any_moment(tmp_path: Path, target: Target) -> None:
    """After kill -9 at random moments, while the cloud changes, one good run makes the tables equal the cloud."""
    chance = Random()
    with FaultySimulator(World(seed=1, size=1200), latency=0.05) as cloud:
        job = Job(tmp_path, target.url, cloud)
        for _ in range(6):
            cloud.world.churn(5)
            running = job.start("run")
            with psycopg.connect(job.url) as clock:
                clock.execute("SELECT pg_sleep(%s)", [chance.uniform(0.3, 0.9)])
            running.kill()
            finished(running)
        done = job("run", "--format", "json")

    assert done.code == 0
    assert stored(job.url) == served(cloud.world)
    assert set(column(job.url, STATUSES)) <= {"done", "abandoned"}
    overlapping = """SELECT count(*) FROM inventory.image_versions a JOIN inventory.images b USING (source, id)
        WHERE b.deleted_at IS NULL AND a.valid_to > b.valid_from OR a.valid_to <= a.valid_from"""
    assert ask(job.url, overlapping) == 0


def test_scheduled_runs_never_overlap(tmp_path: Path, target: Target) -> None:
    """Runs longer than the interval do not overlap; skipped ones are recorded; SIGTERM exits with 0."""
    with FaultySimulator(World(seed=1, size=1200), latency=0.45) as cloud:
        job = Job(tmp_path, target.url, cloud, IMAGE_SYNC_CONCURRENCY="1")
        running = job.start("schedule", "--every", "1s")
        until(lambda: column(job.url, STATUSES).count("done") >= 3)
        running.send_signal(signal.SIGTERM)
        done = finished(running)

    assert (done.code, done.out) == (0, "")
    assert "run skipped" in done.err
    assert set(column(job.url, STATUSES)) == {"done", "skipped"}
    assert set(column(job.url, "SELECT trigger FROM inventory.runs")) == {"schedule"}
    at_once = """SELECT count(*) FROM inventory.runs a JOIN inventory.runs b ON a.run < b.run
        WHERE b.started_at < a.finished_at AND 'skipped' NOT IN (a.status, b.status)"""
    assert ask(job.url, at_once) == 0
    reason = ask(job.url, "SELECT min(reason) FROM inventory.runs WHERE status = 'skipped'")
    assert "the run before it had not ended" in reason


def test_sigterm_interrupts_a_scheduled_run(job: Job, cloud: Simulator) -> None:
    """SIGTERM during a run that waits for the cloud records it as interrupted and exits with 0."""
    cloud.faults.add(breakage.black_hole(), times=None)
    running = job.start("schedule", "--every", "1h", "--grace", "0s")
    until(cloud.journal.answers)
    running.send_signal(signal.SIGTERM)
    done = finished(running)

    assert (done.code, done.out) == (0, "")
    assert column(job.url, STATUSES) == ["interrupted"]
    assert "Traceback" not in done.err


def test_schedule_goes_on_after_a_failed_run(job: Job, cloud: Simulator) -> None:
    """After a failed run is recorded, the next one still runs."""
    cloud.faults.add(breakage.truncate(100), times=1)
    running = job.start("schedule", "--every", "1s", IMAGE_SYNC_MAX_RETRIES="0")
    until(lambda: "done" in column(job.url, STATUSES))
    running.send_signal(signal.SIGTERM)
    done = finished(running)

    assert done.code == 0
    assert column(job.url, STATUSES)[:2] == ["failed", "done"]
    assert "run failed" in done.err


def _once(call: Callable[[], object]) -> Callable[[object], None]:
    called = []

    def first_time(_: object) -> None:
        if not called:
            called.append(True)
            call()

    return first_time


def test_a_stop_runs_its_callbacks_first_and_once() -> None:
    """E04: the callbacks that cancel a statement run once, before anything sees the stop."""
    stop = Stop()
    seen: list[bool] = []

    with stop.on_set(lambda: seen.append(stop.is_set())):
        stop.set()
        stop.set()

    assert (seen, stop.is_set()) == ([False], True)
