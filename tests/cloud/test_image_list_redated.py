"""Images whose `created_at` changes: the order of their list proves nothing, and no image is deleted because of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import effects
import pytest
from cloud_tools import Inventory, before_answer
from fault_rules import FaultySimulator

from sync.domain.status import Status
from sync.simulator import START, Simulator, World
from sync.simulator.catalog import stamp
from sync.store.connection import Target


@pytest.fixture
def many() -> Iterator[Simulator]:
    """A cloud of 120 images in pages of 20."""
    with FaultySimulator(World(seed=7, size=120), page_cap=20) as simulator:
        yield simulator


def in_order(cloud: Simulator) -> list[str]:
    """The ids of all images, by their time of creation."""
    images = cloud.world.truth()
    return sorted(images, key=lambda name: str(images[name]["created_at"]))


def redate(cloud: Simulator, name: str, created_at: str) -> None:
    """Give an image another time of creation."""
    cloud.world.put(cloud.world.truth()[name] | {"created_at": created_at})


@pytest.mark.parametrize("total", ["right", "missing"])
def test_an_image_that_was_stored_with_another_time(target: Target, many: Simulator, total: str) -> None:
    """Only two equal readings, as long as `total` says, prove such a list; else the missing image stays."""
    inventory = Inventory(target, many)
    inventory.run()
    moved, gone = in_order(many)[30], in_order(many)[60]
    redate(many, moved, stamp(START))
    many.world.remove(gone)
    if total == "missing":
        many.faults.add(effects.total_missing(), times=None)
    outcome = inventory.run()

    if total == "right":
        assert (outcome.proven_by, outcome.read_attempts, inventory.deleted()) == ("count", 2, {gone})
    else:
        assert (outcome.proven, outcome.status, inventory.deleted()) == (False, Status.WITHHELD, set())
        assert f"the created_at of image {moved} changed from " in outcome.reason


@pytest.mark.parametrize("nth", range(2, 8))
def test_an_image_that_moves_out_of_sight_is_kept(target: Target, many: Simulator, nth: int) -> None:
    """An image that moves from the unread part of the list to the read one may not be shown, but is found by its id."""
    inventory = Inventory(target, many, concurrency=1)
    inventory.run()
    name = in_order(many)[90]
    before_answer(many, nth, lambda: redate(many, name, stamp(START - timedelta(days=9000))))
    outcome = inventory.run()

    assert not inventory.deleted()
    assert outcome.missing == outcome.still_there


def test_an_image_that_is_shown_with_two_times_takes_the_proof_away(target: Target, many: Simulator) -> None:
    """An image of the first page that moves to the last one, which is read next, leaves the list unproven."""
    inventory = Inventory(target, many, concurrency=1)
    inventory.run()
    moved, gone = in_order(many)[5], in_order(many)[60]
    many.faults.add(effects.total_missing(), times=None)
    many.world.remove(gone)
    before_answer(many, 2, lambda: redate(many, moved, stamp(START)))
    outcome = inventory.run()

    assert (outcome.proven, inventory.deleted()) == (False, set())
    assert f"the created_at of image {moved} changed from " in outcome.reason


def test_a_fraction_of_a_second_moves_nothing(target: Target, many: Simulator) -> None:
    """Order is kept to the second, so a time that gets a fraction proves no less."""
    inventory = Inventory(target, many)
    inventory.run()
    name = in_order(many)[30]
    redate(many, name, str(many.world.truth()[name]["created_at"]).replace("Z", ".5Z"))
    outcome = inventory.run()

    assert (outcome.proven_by, outcome.plan.updated) == ("cover", 1)


def test_a_list_in_one_answer_is_proven_whatever_moved(target: Target) -> None:
    """One answer that holds the whole list needs no order."""
    with FaultySimulator(World(seed=7, size=40)) as cloud:
        inventory = Inventory(target, cloud)
        inventory.run()
        gone = in_order(cloud)[7]
        redate(cloud, in_order(cloud)[3], stamp(START))
        cloud.world.remove(gone)
        outcome = inventory.run()

        assert (outcome.proven_by, inventory.deleted()) == ("whole", {gone})
