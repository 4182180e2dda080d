"""``image-sync plan`` and ``image-sync approve``: what a run would do, and how held deletions are released."""

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
    """A job with a database and a cloud, after its first run."""
    job = Job(tmp_path, target.url, cloud)
    assert job("run").code == 0
    return job


@pytest.mark.parametrize("gone", [3, 300], ids=["deleted", "held"])
def test_plan_predicts_the_run_and_writes_nothing(job: Job, cloud: Simulator, gone: int) -> None:
    """A plan changes no row and no sequence, and the next run reports the same numbers."""
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


def test_approve_releases_withheld_deletions(job: Job, cloud: Simulator) -> None:
    """With too many deletions the exit code is 4; approve releases exactly those, once, and the next run deletes."""
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


def test_an_approval_does_not_delete_returned_images(job: Job, cloud: Simulator) -> None:
    """An approved deletion is dropped if its image is listed again."""
    cloud.world.delete(300)
    job("run")
    job("approve", "2")
    cloud.world.restore(300)
    done = job("run", "--format", "json")

    assert (done.code, done.row["deleted"], done.row["listed"]) == (0, 0, 1200)
    assert ask(job.url, LIVE) == 1200


def test_approval_of_a_run_that_withheld_nothing(job: Job) -> None:
    """Approving a run that withheld nothing exits with 2 and says which runs can be approved."""
    results = [job("approve", run) for run in ("1", "99", "99999999999999999999999")]

    assert [each.code for each in results] == [2, 2, 2]
    assert all("none at all" in each.err for each in results)


def test_the_limits_of_the_guard_are_settings(job: Job, cloud: Simulator) -> None:
    """With higher limits in the settings, the same deletions pass."""
    cloud.world.delete(300)
    done = job(
        "run", "--format", "json", IMAGE_SYNC_MAX_DELETIONS_PERCENT="30%", IMAGE_SYNC_MAX_DAILY_DELETIONS_PERCENT="30%"
    )

    assert (done.code, done.row["deleted"], done.row["held"]) == (0, 300, 0)
