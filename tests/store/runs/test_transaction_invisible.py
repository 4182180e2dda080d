"""Images of other projects that are no longer visible: neither live nor deleted, and guarded like deletions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from builders import image
from servers import Server
from store_tools import Edge

from sync import job
from sync.domain.outcome import Outcome
from sync.domain.scope import Scope
from sync.domain.status import Status
from sync.store.approvals import approve
from sync.store.queries.invariants import violations

STATES = """
SELECT id, deleted_at, invisible_since = r.effective_at, invisible_run = r.run, last_seen_at < r.effective_at
FROM inventory.images i JOIN inventory.runs r ON r.run = %s WHERE id = ANY(%s) ORDER BY id
"""
CHANGES = "SELECT id, kind FROM inventory.image_changes WHERE run = %s ORDER BY id, field"
DIFF = "SELECT id, change FROM inventory.images_diff(%s, %s) ORDER BY id"


@dataclass(frozen=True)
class Shared(Scope):
    """What credentials reach that do not own the images of these owners."""

    others: frozenset[str] = frozenset()

    def owns(self, owner: str | None, *, admins_see_all: bool = False) -> bool:  # noqa: ARG002 - as the base has it
        """Whether an image of this owner is ours."""
        return owner not in self.others


def sync(edge: Edge, *others: str, **changes: Any) -> Outcome:
    """Sync once from a cloud in which these owners are other projects."""
    with edge.parts(**changes) as (store, parts), pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts.cloud, "scope", lambda: Shared(others=frozenset(others)))
        outcome = job.run_sync(parts.source, parts.cloud, store, parts.spool, "command")
    edge.check()
    return outcome


def ids(edge: Edge, view: str) -> set[str]:
    """The ids that a view shows."""
    return {row[0] for row in edge.rows(f"SELECT id FROM inventory.{view}")}


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """Twenty images, and three more of which two belong to another project."""
    with Edge(each_server, 20) as edge:
        for name in ("ours", "theirs-1", "theirs-2"):
            edge.world.put(image(name, owner=name))
        edge.run()
        yield edge


def test_an_absent_image_of_another_project_is_invisible_and_not_deleted(edge: Edge) -> None:
    """It has its moment and its run, its last version is closed, and no view of live or deleted images shows it."""
    for name in ("ours", "theirs-1"):
        edge.world.remove(name)
    outcome = sync(edge, "theirs-1", "theirs-2")

    assert (outcome.status, outcome.plan.deleted, outcome.plan.invisible) == (Status.DONE, 1, 1)
    assert edge.rows(STATES, outcome.run, ["theirs-1"]) == [("theirs-1", None, True, True, True)]
    assert (edge.record["deleted"], edge.record["invisible"], edge.record["missing"]) == (1, 1, 2)
    assert outcome.as_json()["invisible"] == 1
    assert ids(edge, "invisible_images") == {"theirs-1"}
    assert ids(edge, "deleted_images") == {"ours"}
    assert ids(edge, "live_images").isdisjoint({"ours", "theirs-1"})
    assert edge.rows("SELECT id, invisible FROM inventory.image_versions ORDER BY id") == [
        ("ours", False),
        ("theirs-1", True),
    ]
    assert edge.rows(CHANGES, outcome.run) == [("ours", "deleted"), ("theirs-1", "invisible")]
    assert edge.rows("SELECT live, deleted, invisible FROM inventory.freshness") == [(21, 1, 1)]
    assert edge.rows("SELECT live, deleted, invisible FROM inventory.daily_counts") == [(21, 1, 1)]


def test_it_stays_invisible_and_costs_nothing(edge: Edge) -> None:
    """Later runs neither look for it nor count it as missing."""
    edge.world.remove("theirs-1")
    sync(edge, "theirs-1")

    later = sync(edge, "theirs-1")

    assert (later.missing, later.plan.changes, later.unchanged) == (0, 0, 22)
    assert ids(edge, "invisible_images") == {"theirs-1"}


@pytest.mark.parametrize("changed", [False, True], ids=["as it was", "changed meanwhile"])
def test_an_image_that_is_visible_again_is_restored(edge: Edge, *, changed: bool) -> None:
    """A list that shows it again restores it, with a gap in its history."""
    edge.world.remove("theirs-1")
    gone = sync(edge, "theirs-1")
    edge.world.put(image("theirs-1", owner="theirs-1", **({"name": "new"} if changed else {})))
    back = sync(edge, "theirs-1")

    assert (back.plan.restored, back.plan.created, back.plan.updated) == (1, 0, 0)
    assert ids(edge, "invisible_images") == set()
    assert "theirs-1" in ids(edge, "live_images")
    assert edge.rows(
        "SELECT invisible_since, invisible_run, last_seen_at FROM inventory.images WHERE id = 'theirs-1'"
    ) == [(None, None, None)]
    kinds = [row[1] for row in edge.rows(CHANGES, back.run)]
    assert kinds == ["restored"] * (2 if changed else 1)
    assert edge.rows(DIFF, gone.effective_at, back.effective_at) == [("theirs-1", "restored")]
    assert edge.rows("SELECT deletions, returns FROM inventory.flapping_images") == [(1, 1)]


def test_the_past_and_differences_say_that_it_was_visible(edge: Edge) -> None:
    """As-of shows it before, not afterwards; a difference over other changes of it still says invisible."""
    before = edge.value("SELECT max(effective_at) FROM inventory.runs")
    edge.world.put(image("theirs-1", owner="theirs-1", name="renamed"))
    sync(edge)
    edge.world.remove("theirs-1")
    gone = sync(edge, "theirs-1")
    assert gone.effective_at is not None

    as_of = "SELECT count(*) FROM inventory.images_as_of(%s) WHERE id = 'theirs-1'"
    assert edge.value(as_of, gone.effective_at - timedelta(microseconds=1)) == 1
    assert edge.value(as_of, gone.effective_at) == 0
    assert edge.rows(DIFF, before, gone.effective_at) == [("theirs-1", "invisible")]
    assert edge.rows("SELECT id, change FROM inventory.run_diff(%s)", gone.run) == [("theirs-1", "invisible")]


def test_an_image_deleted_after_it_was_invisible_once(edge: Edge) -> None:
    """What happened last counts: a difference over both says deleted."""
    before = edge.value("SELECT max(effective_at) FROM inventory.runs")
    edge.world.remove("theirs-1")
    sync(edge, "theirs-1")
    edge.world.put(image("theirs-1", owner="us"))
    sync(edge)
    edge.world.remove("theirs-1")
    gone = sync(edge)

    assert (gone.plan.deleted, gone.plan.invisible) == (1, 0)
    assert edge.rows(DIFF, before, gone.effective_at) == [("theirs-1", "deleted")]
    assert ids(edge, "deleted_images") == {"theirs-1"}


def test_the_guard_counts_them_with_deletions(edge: Edge) -> None:
    """Too many deletions and invisible images together are held; approved, each becomes what it is confirmed to be."""
    gone = set(edge.world.delete(8))
    for name in ("theirs-1", "theirs-2"):
        edge.world.remove(name)
    held = sync(edge, "theirs-1", "theirs-2", max_deletions=9, max_deletions_percent=0.0)

    assert (held.status, held.plan.held, held.plan.deleted, held.plan.invisible) == (Status.WITHHELD, 10, 0, 0)
    assert held.run is not None
    assert approve(edge.target, held.run, "ann") == 10

    released = sync(edge, "theirs-1", max_deletions=9, max_deletions_percent=0.0)

    plan = released.plan
    assert (plan.held, plan.deleted, plan.invisible, plan.approved) == (0, 9, 1, 10)
    assert ids(edge, "deleted_images") == gone | {"theirs-2"}
    outcomes = dict(edge.rows("SELECT id, outcome FROM inventory.held_deletions"))
    assert outcomes == dict.fromkeys(gone | {"theirs-2"}, "deleted") | {"theirs-1": "invisible"}


def test_those_of_a_day_count_for_the_guard(edge: Edge) -> None:
    """Images that became invisible within 24 hours count as removed images of that day."""
    edge.world.remove("theirs-1")
    assert sync(edge, "theirs-1", max_daily_deletions=1, max_daily_deletions_percent=0.0).plan.invisible == 1
    edge.world.remove("theirs-2")

    second = sync(edge, "theirs-2", max_daily_deletions=1, max_daily_deletions_percent=0.0)

    assert (second.plan.held, second.plan.invisible) == (1, 0)
    assert "within 24 hours" in second.reason


def test_a_held_one_beside_an_approved_one(edge: Edge) -> None:
    """An approval releases its own images only; those that are held later wait."""
    edge.world.remove("theirs-1")
    held = sync(edge, "theirs-1", max_deletions=0, max_deletions_percent=0.0)
    assert held.run is not None
    approve(edge.target, held.run, "ann")
    edge.world.remove("theirs-2")

    second = sync(edge, "theirs-1", "theirs-2", max_deletions=0, max_deletions_percent=0.0)

    assert (second.plan.held, second.plan.invisible, second.plan.approved) == (1, 1, 1)
    assert ids(edge, "invisible_images") == {"theirs-1"}
    assert sync(edge, "theirs-1", "theirs-2").plan.held == 1


def test_one_that_waits_stays_while_others_go(edge: Edge) -> None:
    """An invisible image that is held waits, although the guard lets later ones pass."""
    edge.world.remove("theirs-1")
    sync(edge, "theirs-1", max_deletions=0, max_deletions_percent=0.0)
    edge.world.remove("theirs-2")

    later = sync(edge, "theirs-1", "theirs-2")

    assert (later.plan.held, later.plan.invisible, later.plan.deleted) == (1, 1, 0)
    assert ids(edge, "invisible_images") == {"theirs-2"}


def test_what_the_cloud_listed_as_deleted_is_deleted(edge: Edge) -> None:
    """The cloud's own word counts more than an absence: such an image is deleted, whoever owns it."""
    edge.world.put(image("theirs-1", owner="theirs-1", status="deleted"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sync.store.runs.transaction.withhold", lambda candidates, _limits: (candidates.gone, "held here")
        )
        assert sync(edge).plan.held == 1
    edge.world.remove("theirs-1")
    held = edge.value("SELECT run FROM inventory.held_deletions")
    approve(edge.target, held, "ann")

    outcome = sync(edge, "theirs-1")

    assert (outcome.plan.deleted, outcome.plan.invisible) == (1, 0)
    assert ids(edge, "deleted_images") == {"theirs-1"}


def test_one_that_the_cloud_then_lists_as_deleted(edge: Edge) -> None:
    """It stays as it is, with what the cloud says of it, and the next list is compared without a change."""
    edge.world.remove("theirs-1")
    sync(edge, "theirs-1")
    edge.world.put(image("theirs-1", owner="theirs-1", status="deleted"))

    listed = sync(edge)
    again = sync(edge)

    assert (listed.plan.updated, listed.plan.deleted, listed.plan.restored) == (1, 0, 0)
    assert edge.rows("SELECT id, status FROM inventory.invisible_images") == [("theirs-1", "deleted")]
    assert again.plan.changes == 0


def test_a_missing_image_that_turns_out_invisible(edge: Edge) -> None:
    """An image within its grace is missing first; the case then ends as invisible."""
    edge.world.remove("theirs-1")
    assert sync(edge, "theirs-1", grace=3600.0).pending == 1

    sync(edge, "theirs-1")

    assert edge.rows("SELECT id, outcome FROM inventory.missing_images") == [("theirs-1", "invisible")]


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (
            "UPDATE inventory.image_versions SET invisible = NOT invisible",
            "I13: a run whose changes are not those its digest was made of",
        ),
        ("UPDATE inventory.image_versions SET invisible = false WHERE id = 'theirs-1'", "I3: an invisible image"),
        ("UPDATE inventory.image_versions SET invisible = true WHERE id = 'ours'", "I3: a deleted image whose last"),
        ("UPDATE inventory.runs SET invisible = 0 WHERE run = 2", "I12: invisible does not match"),
        ("UPDATE inventory.runs SET deleted = 2, invisible = 0 WHERE run = 2", "I4: a gap that begins without"),
        ("UPDATE inventory.images SET last_seen_at = NULL WHERE id = 'theirs-1'", "I7: a removed image"),
        (
            "UPDATE inventory.images SET invisible_since = invisible_since + interval '1 s' WHERE id = 'theirs-1'",
            "I7, I2, I11: a bound",
        ),
        ("UPDATE inventory.images SET name = 'other' WHERE id = 'theirs-1'", "I3: an image that is not live"),
        (
            "UPDATE inventory.images SET invisible_since = NULL, invisible_run = NULL WHERE id = 'theirs-1'",
            "I4: periods that overlap",
        ),
        ("UPDATE inventory.runs SET missing = 1 WHERE run = 2", "I8: removals that were not confirmed"),
        ("UPDATE inventory.runs SET proven = false, proven_by = NULL WHERE run = 2", "I8: removals without a proven"),
        ("UPDATE inventory.runs SET invisible = -1 WHERE run = 2", "I12: a count below zero"),
    ],
)
def test_verify_finds_what_does_not_fit(edge: Edge, statement: str, rule: str) -> None:
    """Each rule about invisible images is reported if rows contradict it."""
    for name in ("ours", "theirs-1"):
        edge.world.remove(name)
    sync(edge, "theirs-1")
    edge.do(statement)

    assert [each.rule for each in violations(edge.connection) if each.rule.startswith(rule)]
