"""Runs that are ended from outside, overtaken, or killed; and the schedule: always the truth in the tables."""

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
# A run that is ended by its own patience is not what these tests are about.
ENDLESS = {"IMAGE_SYNC_TIMEOUT": "600", "IMAGE_SYNC_DEADLINE": "3600", "IMAGE_SYNC_LOCK_TIMEOUT": "600"}


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """The job, with a database and a cloud."""
    return Job(tmp_path, target.url, cloud, **ENDLESS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("effect", [breakage.black_hole(), breakage.drip(10)], ids=["silence", "drip"])
def test_run_that_waits_for_the_cloud_ends_when_told(
    job: Job, cloud: Simulator, effect: Effect, number: signal.Signals
) -> None:
    """Exit code 1 at once, the run on record as interrupted, no other table changed."""
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


def test_run_that_waits_for_the_database_ends_when_told(job: Job) -> None:
    """Also in the middle of its writing transaction: exit code 1, interrupted, and nothing of it is written."""
    with psycopg.connect(job.url) as other:
        other.execute("LOCK TABLE inventory.images IN SHARE MODE")
        running = job.start("run", "--format", "json")
        until(lambda: ask(job.url, WAITING))
        running.send_signal(signal.SIGTERM)
        done = finished(running)

    assert (done.code, done.row["status"]) == (1, "interrupted")
    assert column(job.url, STATUSES) == ["interrupted"]
    assert (stored(job.url), ask(job.url, "SELECT epoch FROM inventory.sources")) == ({}, 0)


def test_of_two_runs_at_once_one_wins(job: Job, cloud: Simulator) -> None:
    """Both read; the first to write wins, the other ends with exit code 3 and has written nothing but its record."""
    cloud.faults.before_answer = _once(lambda: until(lambda: column(job.url, STATUSES) == ["running", "running"]))
    both = [job.start("run", "--format", "json") for _ in range(2)]
    done = sorted((finished(process) for process in both), key=lambda each: each.code)

    assert [each.code for each in done] == [0, 3]
    assert [each.row["status"] for each in done] == ["done", "superseded"]
    assert sorted(column(job.url, STATUSES)) == ["done", "superseded"]
    assert stored(job.url) == served(cloud.world)
    assert ask(job.url, "SELECT count(*) FROM inventory.image_versions") == 0


def test_killed_while_writing_has_written_nothing(job: Job, cloud: Simulator) -> None:
    """By kill -9 in the middle of the transaction: nothing of it is there, and the next run makes it good."""
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
def test_killed_at_any_moment_is_made_good_by_the_next_run(tmp_path: Path, target: Target) -> None:
    """By kill -9, wherever it hits, while the cloud changes: then one good run, and the tables equal the cloud."""
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


def test_schedule_runs_again_and_again_and_never_twice_at_once(tmp_path: Path, target: Target) -> None:
    """Runs longer than the interval: one begins after the other has ended, what is skipped is told; SIGTERM: exit 0."""
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


def test_schedule_ends_the_run_that_is_under_way(job: Job, cloud: Simulator) -> None:
    """SIGTERM while a run waits for the cloud: the run is on record as interrupted, and the exit code is 0."""
    cloud.faults.add(breakage.black_hole(), times=None)
    running = job.start("schedule", "--every", "1h", "--grace", "0s")
    until(cloud.journal.answers)
    running.send_signal(signal.SIGTERM)
    done = finished(running)

    assert (done.code, done.out) == (0, "")
    assert column(job.url, STATUSES) == ["interrupted"]
    assert "Traceback" not in done.err


def test_schedule_goes_on_after_a_failed_run(job: Job, cloud: Simulator) -> None:
    """A run that fails is on record; the next one is made all the same."""
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


def test_a_stop_tells_before_it_is_seen_and_once() -> None:
    """E04: what cancels a statement is over before anyone sees the stop, and goes on to record how the run ended."""
    stop = Stop()
    seen: list[bool] = []

    with stop.on_set(lambda: seen.append(stop.is_set())):
        stop.set()
        stop.set()

    assert (seen, stop.is_set()) == ([False], True)
