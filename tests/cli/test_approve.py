"""``image-sync plan`` and ``image-sync approve``: what a run would do, and what only a person may release."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_tools import Job, ask, column, dump, served, stored

from sync.simulator import Simulator
from sync.store.connection import Target

NUMBERS = ("status", "reason", "listed", "total", "created", "updated", "restored", "deleted", "held", "unchanged")
HELD = "SELECT id FROM inventory.held_deletions WHERE closed_at IS NULL AND approved_at IS NULL ORDER BY id"
LIVE = "SELECT count(*) FROM inventory.images WHERE deleted_at IS NULL"


@pytest.fixture
def job(tmp_path: Path, target: Target, cloud: Simulator) -> Job:
    """The job, with a database and a cloud that it has read once."""
    job = Job(tmp_path, target.url, cloud)
    assert job("run").code == 0
    return job


@pytest.mark.parametrize("gone", [3, 300], ids=["deleted", "held"])
def test_plan_tells_what_the_run_does_and_writes_nothing(job: Job, cloud: Simulator, gone: int) -> None:
    """No row, no sequence and no run record moves; the run that follows does exactly what was told."""
    back = cloud.world.delete(2)
    job("run")
    cloud.world.restore(len(back))
    cloud.world.delete(gone)
    cloud.world.create(5)
    cloud.world.change(7)
    before = dump(job.url)
    plan = job("plan", "--format", "json")
    after = dump(job.url)
    run = job("run", "--format", "json")

    assert after == before
    assert plan.code == run.code
    assert (plan.row["run"], plan.row["effective_at"]) == (None, None)
    assert {name: plan.row[name] for name in NUMBERS} == {name: run.row[name] for name in NUMBERS}
    assert run.row["created"] == 5
    assert run.row["deleted"] + run.row["held"] >= 3


def test_withheld_deletions_are_released_by_a_person(job: Job, cloud: Simulator) -> None:
    """Too many are gone: exit code 4 says so; approve releases exactly those, once, and the next run makes them."""
    gone = cloud.world.delete(300)
    withheld = job("run", "--format", "json")
    listed = job("status", "--held", "--format", "json")
    waiting = column(job.url, HELD)
    approved, again = job("approve", "2"), job("approve", "2")
    later = cloud.world.delete(2)
    done = job("run", "--format", "json")

    assert (withheld.code, withheld.row["held"], withheld.row["deleted"]) == (4, 300, 0)
    assert "image-sync approve 2" in withheld.err
    assert waiting == sorted(gone) == sorted(row["id"] for row in listed.rows)
    assert (approved.code, approved.out) == (0, "")
    assert "300 deletions released" in approved.err
    assert (again.code, "run 2 withheld no deletion that still waits" in again.err) == (2, True)
    assert (done.code, done.row["deleted"]) == (0, len(gone) + len(later))
    assert stored(job.url) == served(cloud.world)
    assert ask(job.url, "SELECT count(*) FROM inventory.held_deletions WHERE closed_at IS NULL") == 0


def test_what_came_back_is_not_deleted_by_an_approval(job: Job, cloud: Simulator) -> None:
    """An approved deletion whose image is listed again does not happen."""
    cloud.world.delete(300)
    job("run")
    job("approve", "2")
    cloud.world.restore(300)
    done = job("run", "--format", "json")

    assert (done.code, done.row["deleted"], done.row["listed"]) == (0, 0, 1200)
    assert ask(job.url, LIVE) == 1200


def test_approval_of_a_run_that_withheld_nothing(job: Job) -> None:
    """Exit code 2, and which runs there are that did."""
    done = [job("approve", run) for run in ("1", "99", "99999999999999999999999")]

    assert [each.code for each in done] == [2, 2, 2]
    assert all("none at all" in each.err for each in done)


def test_guard_is_told_how_much_it_may_let_pass(job: Job, cloud: Simulator) -> None:
    """The limits of the guard are settings: with room for them the same deletions go through."""
    cloud.world.delete(300)
    done = job(
        "run", "--format", "json", IMAGE_SYNC_MAX_DELETIONS_PERCENT="30%", IMAGE_SYNC_MAX_DAILY_DELETIONS_PERCENT="30%"
    )

    assert (done.code, done.row["deleted"], done.row["held"]) == (0, 300, 0)
