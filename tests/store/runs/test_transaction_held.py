"""Held deletions: when they are held, for how long, and how an approval releases them."""

from __future__ import annotations

from collections.abc import Iterator

import effects
import pytest
from builders import image
from cloud_tools import Inventory, gap, only_by_id
from fault_rules import FaultySimulator
from servers import Server
from store_tools import Edge

from sync.domain.status import Status
from sync.errors import UnknownError
from sync.simulator import World
from sync.store.approvals import accept_filter, approve

CASES = "SELECT id, run, approved_by, outcome, closed_run FROM inventory.held_deletions ORDER BY id, run"


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """Fifty live images, synced twice."""
    with Edge(server, 50) as edge:
        edge.run()
        edge.run()
        yield edge


@pytest.fixture
def each_edge(each_server: Server) -> Iterator[Edge]:
    """Fifty live images, synced twice, on each server."""
    with Edge(each_server, 50) as edge:
        edge.run()
        edge.run()
        yield edge


def test_too_many_deletions_are_held_and_nothing_else(each_edge: Edge) -> None:
    """A15: if 30 of 50 images vanish, their deletions are held, while creations and updates are written."""
    edge = each_edge
    gone = edge.world.delete(30)
    edge.world.create(2)
    edge.world.change(3)

    outcome = edge.run()

    assert (outcome.status, outcome.exit_code) == (Status.WITHHELD, 4)
    assert (outcome.plan.held, outcome.plan.deleted, outcome.plan.created) == (30, 0, 2)
    assert "30 of 50" in outcome.reason
    assert edge.inventory.deleted() == set()
    assert edge.rows(CASES) == [(name, outcome.run, None, None, None) for name in sorted(gone)]


def test_held_deletions_stay_held(edge: Edge) -> None:
    """Later runs hold the same deletions under the same case; the first run is the one to approve."""
    edge.world.delete(30)
    first = edge.run()

    second = edge.run()

    assert (second.plan.held, second.plan.deleted) == (30, 0)
    assert {row[1] for row in edge.rows(CASES)} == {first.run}


def test_an_approval_releases_exactly_the_held_deletions(each_edge: Edge) -> None:
    """A15: an approval releases exactly the deletions its run held; images that vanish later are held anew."""
    edge = each_edge
    released = edge.world.delete(20)
    held = edge.run()
    assert held.run is not None
    assert approve(edge.target, held.run, "ann") == 20
    later = edge.world.delete(14)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held) == (20, 14)
    assert edge.inventory.deleted() == set(released)
    assert edge.record["approved"] == 20
    assert {(row[0], row[2], row[3]) for row in edge.rows(CASES)} == {
        *((name, "ann", "deleted") for name in released),
        *((name, None, None) for name in later),
    }


def test_an_approval_is_used_once(edge: Edge) -> None:
    """A released and deleted image that returned and vanishes again with many others is held again."""
    names = edge.world.delete(30)
    held = edge.run()
    assert held.run is not None
    approve(edge.target, held.run, "ann")
    edge.run()
    edge.world.restore(30)
    edge.run()
    for name in names:
        edge.world.remove(name)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held) == (0, 30)
    with pytest.raises(UnknownError, match=f"run {held.run} withheld no deletion that still waits"):
        approve(edge.target, held.run, "ann")


def test_a_released_image_that_returned_is_not_deleted(each_edge: Edge) -> None:
    """When a released image returns, its case is closed; if it vanishes again, it is held anew."""
    edge = each_edge
    names = edge.world.delete(30)
    held = edge.run()
    assert held.run is not None
    approve(edge.target, held.run, "ann")
    back = edge.world.restore(12)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held) == (18, 0)
    assert edge.inventory.deleted() == set(names) - set(back)
    closed = {row[0]: (row[3], row[4]) for row in edge.rows(CASES)}
    assert closed == {name: ("returned" if name in back else "deleted", outcome.run) for name in names}
    for name in back:
        edge.world.remove(name)
    assert edge.run().plan.held == 12


def test_each_released_image_is_confirmed_again(edge: Edge) -> None:
    """An approved deletion is still confirmed: an image that answers by its id stays."""
    names = sorted(edge.world.truth())[:30]
    edge.cloud.faults.add(gap(names))  # one list lacks them ...
    edge.cloud.faults.add(only_by_id(effects.images("empty")), times=30, nth=2)  # ... and so do the answers by id
    for name in names:
        edge.cloud.faults.add(effects.images("empty"), id=name)
    held = edge.run()
    assert (held.plan.held, held.run is not None) == (30, True)
    approve(edge.target, held.run or 0, "ann")
    edge.cloud.faults.clear()
    edge.cloud.faults.add(gap(names))

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.still_there) == (0, 30)
    assert len(edge.inventory.live()) == 50


def test_an_unconfirmed_case_stays_open(edge: Edge) -> None:
    """While images cannot be confirmed gone, their cases and the approval stay open."""
    names = edge.world.delete(30)
    held = edge.run()
    approve(edge.target, held.run or 0, "ann")
    edge.cloud.faults.add(only_by_id(effects.status(403)), times=None)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.unconfirmed) == (0, 30)
    assert {row[3] for row in edge.rows(CASES)} == {None}
    edge.cloud.faults.clear()
    assert edge.run().plan.deleted == len(names)


def test_only_a_run_with_held_deletions_can_be_approved(edge: Edge) -> None:
    """A run that held nothing, or does not exist, cannot be approved; the error names the runs that can."""
    quiet = edge.run()
    with pytest.raises(UnknownError, match="none at all"):
        approve(edge.target, quiet.run or 0, "ann")
    edge.world.delete(30)
    held = edge.run()

    with pytest.raises(UnknownError, match=f"runs that did: {held.run}$") as caught:
        approve(edge.target, 999, "ann")

    assert caught.value.exit_code == 2
    assert {row[2] for row in edge.rows(CASES)} == {None}


def test_an_approval_covers_one_run(edge: Edge) -> None:
    """Each approval releases the deletions that its own run held first."""
    first = edge.world.delete(20)
    one = edge.run()
    second = edge.world.delete(13)
    two = edge.run()
    assert two.plan.held == 33

    assert approve(edge.target, two.run or 0, "bob") == 13
    assert edge.run().plan.deleted == 13
    assert edge.inventory.deleted() == set(second)
    assert approve(edge.target, one.run or 0, "bob") == 20
    assert edge.run().plan.deleted == 20
    assert edge.inventory.deleted() == set(first + second)


def test_an_empty_list_is_never_believed(each_edge: Edge) -> None:
    """A01: an empty list deletes nothing, whatever the limits are."""
    edge = each_edge
    before = edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id")
    edge.cloud.faults.add(effects.images("empty"), times=None)

    outcome = edge.run(max_deletions=10**9, max_daily_deletions=10**9)

    assert (outcome.status, outcome.exit_code, outcome.plan.deleted, outcome.plan.held) == (Status.WITHHELD, 4, 0, 50)
    assert "never believed" in outcome.reason
    assert edge.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id") == before
    edge.cloud.faults.clear()
    after = edge.run()
    assert (after.unchanged, after.status) == (50, Status.DONE)
    assert {row[3] for row in edge.rows(CASES)} == {"returned"}


@pytest.mark.parametrize("live", [1, 10])
def test_an_empty_list_of_a_small_source(server: Server, live: int) -> None:
    """A17: an empty list is held for approval even if a source has only one image."""
    with Edge(server, live) as edge:
        edge.run()
        edge.world.delete(live)

        assert edge.run().plan.held == live
        approve(edge.target, edge.record["run"], "ann")
        assert edge.run().plan.deleted == live


@pytest.mark.parametrize(("gone", "held"), [(10, 0), (11, 11)])
def test_the_limit_of_the_guard(edge: Edge, gone: int, held: int) -> None:
    """A17: of fifty images, ten deletions pass and eleven are held."""
    edge.world.delete(gone)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held) == (gone - held, held)


def test_limits_of_nothing_and_of_everything(edge: Edge) -> None:
    """A17: limits of 0 hold every deletion; at 100 % all pass but the last image and those already held."""
    edge.world.delete(1)
    assert edge.run(max_deletions=0, max_deletions_percent=0).plan.held == 1
    edge.world.delete(48)

    outcome = edge.run(max_deletions_percent=100, max_daily_deletions_percent=100)

    assert (outcome.plan.deleted, outcome.plan.held) == (48, 1)


def test_held_deletions_wait_even_if_few_are_left(each_edge: Edge) -> None:
    """Once held, deletions wait for approval even if too few are left to be held anew; new ones pass."""
    edge = each_edge
    edge.world.delete(30)
    held = edge.run()
    edge.world.restore(25)
    new = edge.world.delete(2)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held, outcome.exit_code) == (2, 5, 4)
    assert outcome.reason == "5 deletions that were withheld wait for approval"
    assert edge.inventory.deleted() == set(new)
    assert approve(edge.target, held.run or 0, "ann") == 5
    assert (edge.run().plan.deleted, edge.run().status) == (5, Status.DONE)


def test_a_slow_drain_is_held(edge: Edge) -> None:
    """A16: deletions within 24 hours count together; a day later the count starts again for new ones."""
    for _ in range(3):
        edge.world.delete(3)
        assert edge.run().plan.deleted == 3
    edge.world.delete(3)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held) == (0, 3)
    assert "12 of 50 images went within 24 hours" in outcome.reason
    yesterday(edge)
    edge.world.delete(3)
    after = edge.run()
    assert (after.plan.deleted, after.plan.held) == (3, 3)


def test_approved_deletions_do_not_count_for_the_day(edge: Edge) -> None:
    """Approved deletions do not count towards the daily limit."""
    edge.world.delete(30)
    held = edge.run()
    approve(edge.target, held.run or 0, "ann")
    edge.run()
    edge.world.delete(5)

    assert edge.run().plan.deleted == 5


def test_released_deletions_do_not_count_for_the_run(edge: Edge) -> None:
    """Approved deletions do not count towards the limit of a run."""
    edge.world.delete(20)
    held = edge.run()
    approve(edge.target, held.run or 0, "ann")
    edge.world.delete(5)

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.held) == (25, 0)


def test_the_daily_limit_is_per_source(edge: Edge) -> None:
    """A16, I11: deletions of one source do not count for another in the same database."""
    with FaultySimulator(World(seed=4, size=50)) as cloud:
        other = Inventory(edge.target, cloud)
        other.run()
        cloud.world.delete(10)
        assert other.run().plan.deleted == 10
    edge.world.delete(5)

    assert edge.run().plan.deleted == 5


def test_an_unproven_run_deletes_nothing(each_edge: Edge) -> None:
    """I8: without a proven list, nothing is deleted or held; creations and updates are written."""
    edge = each_edge
    edge.world.delete(2)
    edge.world.create(1)
    edge.world.change(2)

    outcome = edge.run_unproven()

    assert (outcome.proven, outcome.status, outcome.exit_code) == (False, Status.WITHHELD, 4)
    assert (outcome.plan.deleted, outcome.plan.held, outcome.plan.created) == (0, 0, 1)
    assert (outcome.missing, outcome.unconfirmed) == (2, 2)
    assert "not proven" in outcome.reason
    assert edge.run().plan.deleted == 2


# --- when an image was last seen --------------------------------------------------------------------------------------


def last_seen(edge: Edge, name: str) -> object:
    """When a deleted image was last known to exist."""
    return edge.value("SELECT last_seen_at FROM inventory.images WHERE id = %s", name)


def test_last_seen_is_the_run_before(edge: Edge) -> None:
    """A deleted image was last seen by the run before its deletion."""
    before = edge.run()
    (name,) = edge.world.delete(1)
    edge.run()

    assert last_seen(edge, name) == before.effective_at


def test_last_seen_of_a_held_image(edge: Edge) -> None:
    """An image that was held for some runs was last seen before the first of them."""
    before = edge.run()
    names = edge.world.delete(30)
    held = edge.run()
    edge.run()
    approve(edge.target, held.run or 0, "ann")
    edge.run()

    assert {last_seen(edge, name) for name in names} == {before.effective_at}


def test_an_unproven_list_without_the_image_did_not_see_it(edge: Edge) -> None:
    """An unproven list does not count as having seen an image that it omits."""
    before = edge.run()
    (name,) = edge.world.delete(1)
    edge.run_unproven()
    edge.run()

    assert last_seen(edge, name) == before.effective_at


def test_an_unproven_list_with_the_changed_image_saw_it(edge: Edge) -> None:
    """An unproven list that shows a change of the image counts as having seen it."""
    (name,) = edge.world.change(1)
    seen = edge.run_unproven()
    edge.world.remove(name)
    edge.run()

    assert last_seen(edge, name) == seen.effective_at


def test_a_run_that_could_not_confirm_the_image_did_not_see_it(edge: Edge) -> None:
    """A proven list without the image did not see it, even if asking for the image failed."""
    before = edge.run()
    (name,) = edge.world.delete(1)
    edge.cloud.faults.add(effects.status(404), id=name)
    assert edge.run().unconfirmed == 1
    edge.run()

    assert last_seen(edge, name) == before.effective_at


def test_a_list_with_a_nameless_record_did_not_see_the_image(edge: Edge) -> None:
    """A list whose nameless record blocked all deletions does not count as having seen the image."""
    before = edge.run()
    (name,) = edge.world.delete(1)
    key = edge.world.put(b'{"name":"nameless"}')
    assert edge.run().unconfirmed == 1
    edge.world.remove(key)
    edge.run()

    assert last_seen(edge, name) == before.effective_at


def test_an_answer_by_id_counts_as_seen(edge: Edge) -> None:
    """An image that the list omitted but that answered by its id was seen."""
    (name,) = sorted(edge.world.truth())[:1]
    edge.cloud.faults.add(gap([name]))
    answered = edge.run()
    assert answered.still_there == 1
    edge.world.remove(name)
    edge.run()

    assert last_seen(edge, name) == answered.effective_at


def test_last_seen_after_a_return(edge: Edge) -> None:
    """A held image that returned was seen in between."""
    edge.world.delete(30)
    edge.run()
    (name, *_) = edge.world.restore(30)
    edge.run()
    seen = edge.run()
    edge.world.remove(name)
    edge.run()

    assert last_seen(edge, name) == seen.effective_at


# --- images listed as deleted -----------------------------------------------------------------------------------------


@pytest.fixture
def vendor(each_server: Server) -> Iterator[Edge]:
    """A cloud that still lists its deleted images."""
    with Edge(each_server, 50, show_deleted=True) as edge:
        edge.run()
        yield edge


def test_listed_as_deleted_is_deleted(vendor: Edge) -> None:
    """A20: an image listed as deleted is marked once, by our clock; the cloud's values stay in their own columns."""
    names = vendor.world.delete(3)

    outcome = vendor.run()

    assert (outcome.plan.deleted, outcome.plan.updated, outcome.missing) == (3, 3, 0)
    assert vendor.inventory.deleted() == set(names)
    assert vendor.rows(
        "SELECT DISTINCT deleted_at, vendor_deleted, status, vendor_deleted_at IS NOT NULL, last_seen_at IS NOT NULL "
        "FROM inventory.images WHERE deleted_at IS NOT NULL"
    ) == [(outcome.effective_at, True, "deleted", True, True)]
    rows = vendor.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id")
    assert vendor.run().plan.changes == 0
    assert vendor.rows("SELECT id, xmin::text FROM inventory.images ORDER BY id") == rows


@pytest.mark.parametrize("word", [{"status": "deleted"}, {"deleted": True}, {"deleted": "true"}])
def test_status_or_flag_means_deleted(edge: Edge, word: dict[str, object]) -> None:
    """A20: the status or the flag alone means deleted."""
    edge.world.put(image("x"))
    edge.run()
    edge.world.put(image("x", **word))

    assert edge.run().plan.deleted == 1
    assert edge.inventory.deleted() == {"x"}


def test_an_image_first_listed_as_deleted(edge: Edge) -> None:
    """A20: an image first listed as deleted is stored as deleted and has no version."""
    edge.world.put(image("x", status="deleted"))

    outcome = edge.run()

    assert (outcome.plan.created, outcome.plan.deleted) == (1, 1)
    assert edge.inventory.deleted() == {"x"}
    assert edge.value("SELECT count(*) FROM inventory.image_versions WHERE id = 'x'") == 0
    edge.world.put(image("x"))
    assert edge.run().plan.restored == 1
    edge.run()


def test_many_listed_as_deleted_are_held(vendor: Edge) -> None:
    """A20: many images listed as deleted at once are held too, and deleted after approval."""
    names = vendor.world.delete(30)
    held = vendor.run()
    assert (held.plan.held, held.plan.deleted, held.plan.updated) == (30, 0, 30)
    assert vendor.inventory.deleted() == set()
    assert vendor.run().plan.held == 30

    approve(vendor.target, held.run or 0, "ann")

    assert vendor.run().plan.deleted == 30
    assert vendor.inventory.deleted() == set(names)


def test_a_released_image_listed_as_live_again_stays(vendor: Edge) -> None:
    """A20: an image that was listed as deleted, held and released stays if the cloud lists it as live again."""
    vendor.world.delete(30)
    held = vendor.run()
    approve(vendor.target, held.run or 0, "ann")
    back = vendor.world.restore(12)

    outcome = vendor.run()

    assert (outcome.plan.deleted, outcome.plan.updated) == (18, 12)
    assert set(back) <= vendor.inventory.live()


def test_an_unproven_list_deletes_no_image_listed_as_deleted(vendor: Edge) -> None:
    """A20: an unproven list does not delete images it calls deleted; the next proven list does."""
    names = vendor.world.delete(3)
    assert vendor.run_unproven().plan.deleted == 0

    outcome = vendor.run()

    assert outcome.plan.deleted == 3
    assert vendor.inventory.deleted() == set(names)
    assert vendor.run().plan.changes == 0


def test_an_image_listed_as_deleted_and_then_forgotten(vendor: Edge) -> None:
    """A20: an image listed as deleted stays deleted when the cloud stops listing it."""
    names = vendor.world.delete(3)
    vendor.run()
    vendor.world.show_deleted = False
    vendor.world.change(1)

    outcome = vendor.run()

    assert (outcome.missing, outcome.plan.deleted, outcome.plan.updated) == (0, 0, 1)
    assert vendor.inventory.deleted() == set(names)


def test_gone_and_then_listed_as_deleted(edge: Edge) -> None:
    """A20: a missing image that was deleted keeps its deletion time when the cloud later lists it as deleted."""
    edge.world.put(image("x"))
    edge.run()
    edge.world.remove("x")
    gone = edge.run()
    edge.world.put(image("x", status="deleted", deleted=True))

    outcome = edge.run()

    assert (outcome.plan.deleted, outcome.plan.restored, outcome.plan.updated) == (0, 0, 1)
    assert edge.rows("SELECT deleted_at, status FROM inventory.images WHERE id = 'x'") == [
        (gone.effective_at, "deleted")
    ]
    assert edge.run().plan.changes == 0


def test_a_held_image_that_is_no_longer_listed(vendor: Edge) -> None:
    """A held image that was listed as deleted stays held when the cloud stops listing it."""
    names = vendor.world.delete(30)
    held = vendor.run()
    vendor.world.show_deleted = False
    vendor.world.create(1)
    assert vendor.run().plan.held == 30
    approve(vendor.target, held.run or 0, "ann")

    assert vendor.run().plan.deleted == 30
    assert vendor.inventory.deleted() == set(names)


def test_an_accepted_filter_becomes_the_filter_of_the_source(edge: Edge) -> None:
    """A19: accepting a new filter stores it; accepting an unchanged or unknown one is an error."""
    name = edge.inventory.source.name

    with pytest.raises(UnknownError, match="nothing to accept"):
        accept_filter(edge.target, name, "")
    with pytest.raises(UnknownError, match="nothing to accept"):
        accept_filter(edge.target, "nobody", "a=b")
    accept_filter(edge.target, name, "visibility=public")
    with pytest.raises(UnknownError, match="nothing to accept"):
        accept_filter(edge.target, name, "visibility=public")

    assert edge.rows("SELECT filter FROM inventory.sources") == [("visibility=public",)]


def yesterday(edge: Edge) -> None:
    """Move everything that happened back by 25 hours, in every table."""
    moments = edge.rows(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'inventory' "
        "AND column_name IN ('effective_at', 'proven_at', 'seen_at', 'valid_from', 'valid_to', 'first_seen_at', 'last_seen_at', 'listed_since', "
        "'deleted_at', 'held_at', 'closed_at', 'approved_at') AND table_name IN (SELECT tablename FROM pg_tables)"
    )
    for table in sorted({row[0] for row in moments}):
        columns = ", ".join(f"{row[1]} = {row[1]} - interval '25 hours'" for row in moments if row[0] == table)
        edge.do(f"UPDATE inventory.{table} SET {columns}")
    edge.reseal()
    edge.past.__init__()  # type: ignore[misc]
