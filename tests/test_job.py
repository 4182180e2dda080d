"""A whole run, from the cloud to the tables: images are stored as the cloud shows them, with all earlier versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import effects
import pytest
from builders import SAMPLE, canonical, image
from cloud_tools import Inventory, gap
from fault_rules import FaultySimulator
from invariants import story, truth
from servers import Server
from store_tools import Edge

from sync import runner, wiring
from sync.domain.fields import COLUMNS
from sync.domain.image import to_json
from sync.domain.status import Status
from sync.errors import FilterChangedError, ForbiddenError, TooLargeError
from sync.simulator import World
from sync.store.approvals import accept_filter
from sync.store.runs.database import Database
from sync.store.runs.dry_run import DryRun


@pytest.fixture
def edge(each_server: Server) -> Iterator[Edge]:
    """A cloud of 40 images, none of them stored yet."""
    with Edge(each_server) as edge:
        yield edge


def image_of(edge: Edge, name: str) -> dict[str, Any]:
    """The stored row of an image, by column; {} if there is none."""
    rows = edge.inventory.all(f"SELECT * FROM inventory.images WHERE id = '{name}'")
    return rows[0] if rows else {}


def versions_of(edge: Edge, name: str) -> list[dict[str, Any]]:
    """The earlier versions of an image, oldest first."""
    return edge.inventory.all(f"SELECT * FROM inventory.image_versions WHERE id = '{name}' ORDER BY valid_from")


def test_a_first_load(edge: Edge) -> None:
    """The first run stores exactly the images of the cloud, valid from the moment of that run."""
    outcome = edge.run()

    assert (outcome.status, outcome.exit_code, outcome.proven) == (Status.DONE, 0, True)
    assert (outcome.received, outcome.listed, outcome.total, outcome.plan.created) == (40, 40, 40, 40)
    assert edge.inventory.live() == set(edge.world.truth())
    assert edge.rows("SELECT DISTINCT first_seen_at, valid_from, valid_from_run, deleted_at FROM inventory.images") == [
        (outcome.effective_at, outcome.effective_at, outcome.run, None)
    ]
    assert edge.value("SELECT count(*) FROM inventory.image_versions") == 0


def test_the_sample_is_stored_column_by_column(edge: Edge) -> None:
    """The example of the API document is stored and read back letter by letter."""
    edge.world.put(SAMPLE)

    edge.run()

    row = image_of(edge, SAMPLE["id"])
    assert to_json(row, row["extra"]) == SAMPLE
    assert (row["min_disk"], row["isregistered"], row["support_arm"], row["vendor_deleted_at"]) == (
        40,
        True,
        True,
        None,
    )
    assert row["created_at"] == datetime(2020, 12, 30, 3, 23, 29, tzinfo=UTC)
    assert row["extra"] is None


def test_no_change_is_reported_as_none(edge: Edge) -> None:
    """I6: a second run finds every image unchanged."""
    edge.run()

    outcome = edge.run()

    assert (outcome.unchanged, outcome.plan.changes, outcome.status) == (40, 0, Status.DONE)
    assert outcome.read_attempts == 1


def test_another_format_is_no_change(edge: Edge) -> None:
    """A18, F12: when all images come in another format, no row is rewritten."""
    edge.run()
    before = edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id")
    edge.cloud.faults.add(effects.reformatted(), times=None)

    outcome = edge.run()

    assert (outcome.unchanged, outcome.plan.changes) == (40, 0)
    assert edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id") == before


def test_a_change_makes_a_version(edge: Edge) -> None:
    """The row has the new content; the version has the old content and the two runs between which it held."""
    first = edge.run()
    before = {name: canonical(document) for name, document in edge.world.truth().items()}
    changed = edge.world.change(4)

    second = edge.run()

    assert (second.plan.updated, second.plan.changes, second.unchanged) == (4, 4, 36)
    for name in changed:
        (old,) = versions_of(edge, name)
        assert canonical(to_json(old, old["extra"])) == before[name]
        assert (old["valid_from"], old["valid_from_run"]) == (first.effective_at, first.run)
        assert (old["valid_to"], old["valid_to_run"]) == (second.effective_at, second.run)
        row = image_of(edge, name)
        assert (row["valid_from"], row["valid_from_run"]) == (second.effective_at, second.run)
        assert row["first_seen_at"] == first.effective_at


def test_only_what_changed_gets_a_version(edge: Edge) -> None:
    """An unchanged image keeps its row and gets no version."""
    edge.run()
    rows = dict(edge.rows("SELECT id, xmin::text FROM inventory.images"))
    changed = set(edge.world.change(4))
    edge.run()
    after = dict(edge.rows("SELECT id, xmin::text FROM inventory.images"))

    assert {name for name in rows if rows[name] != after[name]} == changed
    assert edge.value("SELECT count(*) FROM inventory.image_versions") == 4


def test_a_deletion_is_confirmed(edge: Edge) -> None:
    """A missing image is looked up by id, then marked as deleted with its last content."""
    first = edge.run()
    gone = edge.world.delete(3)
    since = edge.cloud.journal.seq

    second = edge.run()

    queries = {str(event.detail["query"]) for event in edge.cloud.journal.answers(since)}
    assert {f"id={name}" for name in gone} <= queries
    assert (second.plan.deleted, second.missing, second.still_there, second.unconfirmed) == (3, 3, 0, 0)
    assert edge.inventory.deleted() == set(gone)
    for name in gone:
        row, (last,) = image_of(edge, name), versions_of(edge, name)
        assert (row["deleted_at"], row["deleted_run"]) == (second.effective_at, second.run)
        assert row["last_seen_at"] == first.effective_at
        assert (row["vendor_deleted"], row["vendor_deleted_at"]) == (False, None)
        assert (last["valid_to"], last["valid_to_run"]) == (second.effective_at, second.run)
        assert [row[column] for column in COLUMNS] == [last[column] for column in COLUMNS]


def test_a_list_gap_is_no_deletion(edge: Edge) -> None:
    """A14: an image that the list leaves out, but that is found by its id, stays."""
    edge.run()
    names = sorted(edge.world.truth())[:3]
    edge.cloud.faults.add(gap(names), times=None)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.missing, outcome.still_there) == (0, 3, 3)
    assert set(names) <= edge.inventory.live()


def test_a_returning_image_leaves_a_gap(edge: Edge) -> None:
    """A21, I10: a restored image gets a new version; its old versions and the gap between them stay."""
    first = edge.run()
    (name,) = edge.world.delete(1)
    second = edge.run()
    old = versions_of(edge, name)
    edge.world.restore(1)

    third = edge.run()

    row = image_of(edge, name)
    assert third.plan.restored == 1
    assert versions_of(edge, name) == old
    assert (row["first_seen_at"], row["valid_from"]) == (first.effective_at, third.effective_at)
    assert (row["deleted_at"], row["deleted_run"], row["last_seen_at"]) == (None, None, None)
    assert old[0]["valid_to"] == second.effective_at < row["valid_from"]


def test_an_image_that_returns_unchanged_is_restored(edge: Edge) -> None:
    """An image that returns with the same bytes counts as restored."""
    edge.world.put(image("x"))
    edge.run()
    edge.world.remove("x")
    edge.run()
    edge.world.put(image("x"))

    assert edge.run().plan.restored == 1
    assert image_of(edge, "x")["deleted_at"] is None
    assert edge.run().plan.changes == 0


def test_a_long_history_is_exact(edge: Edge) -> None:
    """I1, I13: after eight days of changes, each day's state and the differences between any two are exact."""
    states: dict[datetime, list[dict[str, Any]]] = {}
    for _day in range(8):
        outcome = edge.run(max_daily_deletions=1000)
        assert outcome.effective_at is not None
        states[outcome.effective_at] = list(edge.world.truth().values())
        edge.world.churn(30)

    for moment, images in states.items():
        assert truth(edge.connection, outcome.source, images, moment) == []
    assert story(edge.target, states) == []


def test_sources_do_not_touch_each_other(each_server: Server) -> None:
    """I11: when two clouds have the same ids, changes in one leave the other's rows alone."""
    with Edge(each_server) as edge, FaultySimulator(World(seed=3, size=40)) as other:
        second = Inventory(edge.target, other)
        edge.run()
        second.run()
        query = "SELECT id, xmin::text, to_jsonb(i)::text FROM inventory.images i WHERE source = %s"
        before = edge.rows(query, second.source.name)
        edge.world.delete(5)
        edge.world.change(5)
        edge.run()

        assert edge.world.truth().keys() < other.world.truth().keys()
        assert edge.rows(query, second.source.name) == before
        assert edge.rows("SELECT DISTINCT source FROM inventory.image_versions") == [(edge.inventory.source.name,)]
        other.world.delete(2)
        assert second.run().plan.deleted == 2
        edge.check()


def test_a_plan_writes_nothing_and_predicts_the_run(edge: Edge) -> None:
    """A plan writes to no table, and the run that follows does exactly what it planned."""
    edge.run()
    edge.world.put(b'{"id":"x","name":"\\u0000"}')
    edge.world.churn(30)
    before = edge.inventory.dump(), edge.value("SELECT count(*) FROM inventory.runs")
    with (
        DryRun(edge.target) as store,
        wiring.parts(edge.inventory.source, store, edge.inventory.stop) as parts,
    ):
        store.prepare()
        planned = runner.sync(parts, "plan")
    assert (edge.inventory.dump(), edge.value("SELECT count(*) FROM inventory.runs")) == before

    outcome = edge.run()

    assert (planned.plan, planned.unchanged, planned.quarantined) == (
        outcome.plan,
        outcome.unchanged,
        outcome.quarantined,
    )
    assert (planned.run, planned.effective_at) == (None, None)


def test_a_list_that_is_far_too_long_is_not_written(edge: Edge) -> None:
    """A list over the limit, as after a wrong filter, fails the run and writes nothing but its record."""
    edge.run()
    before = edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id")
    edge.world.create(500)

    with pytest.raises(TooLargeError, match="raise `max_growth` or `max_images`"):
        edge.run(max_images=len(before) + 400)

    assert edge.record["status"] == "failed"
    assert edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id") == before


def test_a_failed_run_writes_only_its_record(edge: Edge) -> None:
    """I2: the record of a failed run has the reason and the number of requests; no other table changes."""
    edge.run()
    edge.world.churn(30)
    edge.cloud.faults.add(effects.status(403), times=None)

    error = edge.fails(ForbiddenError)

    assert error.run == edge.record["run"]
    assert edge.record["requests"] == 1
    assert edge.record["error"] == "ForbiddenError"


def test_a_first_run_that_fails(edge: Edge) -> None:
    """A first run that fails registers the source and stores no image; the next run loads all."""
    edge.cloud.faults.add(effects.status(403))

    edge.fails(ForbiddenError)

    assert edge.rows("SELECT epoch, effective_at, proven_at FROM inventory.sources") == [(0, None, None)]
    assert edge.run().plan.created == 40


def test_another_filter_is_refused_until_it_is_accepted(edge: Edge) -> None:
    """A19: a run with another filter is refused before any request until it is accepted; no image is deleted."""
    edge.run()
    narrow = {"filter": (("visibility", "public"),)}
    since = edge.cloud.journal.seq

    error = edge.fails(FilterChangedError, **narrow)

    assert "visibility=public" in str(error)
    assert "sources accept-filter" in str(error)
    assert error.exit_code == 2
    assert edge.cloud.journal.answers(since) == []

    accept_filter(edge.target, edge.inventory.source.name, "visibility=public")
    outcome = edge.inventory.run(**narrow)

    # The images outside the filter are still found by their ids, so they stay.
    assert (outcome.plan.deleted, outcome.plan.held) == (0, 0)
    assert outcome.still_there == outcome.missing > 0
    assert edge.inventory.live() == set(edge.world.truth())
    edge.check()


def test_removing_the_filter_is_refused_too(edge: Edge) -> None:
    """A19: a run without the filter of the last run is refused as well."""
    edge.inventory.run(filter=(("visibility", "public"),))

    error = edge.fails(FilterChangedError)

    assert "from visibility=public to no filter" in str(error)


def test_many_missing_images_are_confirmed_by_a_second_list(edge: Edge) -> None:
    """Above `max_single_confirms` a second proven list replaces the single lookups; images on it stay."""
    edge.run()
    edge.world.delete(6)
    left_out = sorted(edge.world.truth())[:2]
    edge.cloud.faults.add(gap(left_out))

    outcome = edge.run(max_single_confirms=5)

    assert (outcome.plan.deleted, outcome.still_there) == (6, 2)
    assert edge.rows(
        "SELECT reading, count(*) FROM inventory.run_pages WHERE run = %s GROUP BY 1 ORDER BY 1", outcome.run
    ) == [(0, 1), (1, 1)]


def test_the_evidence_of_a_run_with_several_pages(server: Server) -> None:
    """Every page is recorded with its offset, order, rows, first and last id, cover, total, request id and time."""
    with Edge(server, 1200) as edge:
        outcome = edge.run()
        pages = edge.rows(
            "SELECT page, reading, row_offset, descending, row_count, total, first_id IS NOT NULL, last_id IS NOT NULL, "
            "lower_inf(covers), upper_inf(covers), request_id, milliseconds "
            "FROM inventory.run_pages WHERE run = %s ORDER BY row_offset, descending",
            outcome.run,
        )

        assert [page[1:10] for page in pages] == [
            (1, 0, False, 500, 1200, True, True, True, False),
            (1, 0, True, 500, 1200, True, True, False, True),
            (1, 490, False, 500, 1200, True, True, False, False),
        ]
        assert (outcome.proven_by, outcome.read_attempts) == ("cover", 1)
        assert sorted(page[0] for page in pages) == [1, 2, 3]
        assert {page[10] for page in pages} == {
            event.detail["request_id"] for event in edge.cloud.journal.answers() if "request_id" in event.detail
        } or all(page[10] for page in pages)
        assert outcome.received == 1500
        assert outcome.duplicates == 300


def test_ignored_fields_make_no_version(edge: Edge) -> None:
    """A change of ignored fields alone makes no version; with another change, they are stored as well."""
    edge.world.put(image("x", updated_at="2026-01-01T00:00:00Z"))
    edge.run(ignore_fields=("updated_at",))
    edge.world.put(image("x", updated_at="2026-01-02T00:00:00Z"))
    assert edge.inventory.run(ignore_fields=("updated_at",)).plan.changes == 0
    assert edge.inventory.run(ignore_fields=("updated_at",)).plan.changes == 0
    edge.world.put(image("x", updated_at="2026-01-03T00:00:00Z", name="other"))

    assert edge.run(ignore_fields=("updated_at",)).plan.updated == 1
    assert image_of(edge, "x")["updated_at"] == datetime(2026, 1, 3, tzinfo=UTC)


def test_an_ignored_field_may_have_any_name(edge: Edge) -> None:
    """Users name their own fields: quotes, percent signs and braces in an ignored one are part of its name."""
    name = "it's 100%s {x} \\ "
    edge.world.put(image("x", **{name: "1"}))
    edge.run(ignore_fields=(name,))
    edge.world.put(image("x", **{name: "2"}))
    edge.world.put(image("y", **{name: "3"}))

    assert edge.run_unclear(ignore_fields=(name,)).plan.changes == 1
    edge.world.put(image("x", **{name: "4"}))
    assert edge.run().plan.updated == 1


def test_changing_the_ignored_fields_rewrites_nothing(edge: Edge) -> None:
    """When fields become ignored, or no longer are, unchanged images are not rewritten."""
    edge.world.put(image("x"))
    edge.run()
    rows = edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id")
    edge.cloud.faults.add(effects.reformatted(), times=None)

    for ignored in (("updated_at", "name"), (), ("name",)):
        assert edge.run(ignore_fields=ignored).plan.changes == 0

    assert edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id") == rows


def test_one_store_serves_several_runs(edge: Edge) -> None:
    """One connection serves several runs, even after one that failed."""
    with Database(edge.target) as store:
        for fault in (None, effects.status(403), None):
            if fault is not None:
                edge.cloud.faults.add(fault)
            with wiring.parts(edge.inventory.source, store, edge.inventory.stop) as parts:
                try:
                    runner.sync(parts, "command")
                except ForbiddenError:
                    assert fault is not None

    assert [row[0] for row in edge.rows("SELECT status FROM inventory.runs ORDER BY run")] == ["done", "failed", "done"]
    edge.check()
