"""The cloud changes while its list is read: no image that stayed is missing from a proven list or gets deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from cloud_tools import Inventory, Reader, gap
from fault_rules import FaultySimulator
from listing_model import Seen, chance

from sync.domain.proof.verdict import Verdict, prove
from sync.domain.status import Status
from sync.simulator import START, Simulator, World
from sync.simulator.images import IecCatalog
from sync.store.connection import Target


@pytest.fixture
def many() -> Iterator[Simulator]:
    """A cloud of 120 images in pages of 20."""
    with FaultySimulator(World(seed=7, size=120), page_cap=20) as simulator:
        yield simulator


def random_changes(cloud: Simulator, rng: Random, probability: float) -> Callable[[object], None]:
    """A hook that, with some probability, creates, deletes, restores or changes one image before a response."""
    world = cloud.world
    actions = (world.create, world.delete, world.restore, world.change)

    def act(_: object) -> None:
        if rng.random() < probability:
            rng.choice(actions)(1)

    return act


@dataclass(frozen=True)
class Scan:
    """One reading: its verdict, the ids that came, and the ids missed although their images existed throughout."""

    verdict: Verdict
    rows: list[str]
    missed: set[str]


def scans(cloud: Simulator, count: int, *, concurrency: int = 4, max_gap_requests: int = 500) -> Iterator[Scan]:
    """A number of readings of a cloud, one after the other."""
    reader = Reader.of(cloud, concurrency=concurrency, max_gap_requests=max_gap_requests)
    with reader.images() as images:
        for _ in range(count):
            since, reader.rows = cloud.journal.seq, []
            verdict = images.read(reader.take, 1).verdict
            stayed = cloud.journal.present_throughout(since, cloud.journal.seq)
            yield Scan(verdict, reader.rows, stayed - set(reader.rows))


@pytest.mark.long
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("ties", [False, True], ids=["steady ties", "shuffled ties"])
def test_steady_change_hides_nothing_from_a_proven_list(many: Simulator, ties: bool, concurrency: int) -> None:  # noqa: FBT001 - both kinds
    """In 100 readings with a change before every other page, over 90 are proven, and none of these misses an image."""
    many.listing.unstable_ties = ties
    many.faults.before_answer = random_changes(many, chance(8), probability=0.5)
    proven = duplicates = 0
    for scan in scans(many, 100, concurrency=concurrency):
        proven += scan.verdict.complete
        duplicates += len(scan.rows) - len(set(scan.rows))

        assert not (scan.verdict.complete and scan.missed)

    assert proven > 90
    assert duplicates > 0


@pytest.mark.long
def test_change_among_ties_hides_nothing_from_a_proven_list() -> None:
    """If images that share a created_at change places, come and go, no proven reading misses one that stayed."""
    world, catalog, rng = World(size=0), IecCatalog(chance(12)), chance(13)
    moments = (START + timedelta(minutes=rng.randrange(16)) for _ in range(26))
    images = [catalog.image(moment, until=START + timedelta(days=9)) for moment in moments]
    away = [images.pop() for _ in range(10)]
    for image in images:
        world.put(image)

    def swap(_: object) -> None:
        if rng.random() < 0.6:
            images.append(away.pop(0))
            world.put(images[-1])
            away.append(images.pop(rng.randrange(len(images))))
            world.remove(str(away[-1]["id"]))

    with FaultySimulator(world, page_cap=5, unstable_ties=True) as cloud:
        cloud.faults.before_answer = swap

        assert not any(scan.verdict.complete and scan.missed for scan in scans(cloud, 200))


@pytest.mark.long
def test_a_flood_of_changes_is_never_wrongly_proven(many: Simulator) -> None:
    """With more changes than the pages overlap, no reading that misses an image is proven, not even by count."""
    rng = chance(9)

    def flood(_: object) -> None:
        many.world.restore(50)
        many.world.delete(rng.randrange(50))

    many.faults.before_answer = flood
    before: int | None = None
    lost = 0
    for scan in scans(many, 100, concurrency=1, max_gap_requests=0):
        proof, before = prove(scan.verdict, Seen(scan.rows), before)
        lost += bool(scan.missed)

        assert not (proof.proven and scan.missed)

    assert lost > 5


def test_steady_change_deletes_nothing_that_stayed(target: Target, many: Simulator) -> None:
    """In 25 runs against a changing list, a run deletes only images that were gone at some moment of it."""
    inventory = Inventory(target, many, max_deletions=1000, max_daily_deletions=1000)
    inventory.run()
    many.faults.before_answer = random_changes(many, chance(10), probability=0.6)
    done = 0
    for _ in range(25):
        since, before = many.journal.seq, inventory.deleted()
        outcome = inventory.run()
        done += outcome.status is Status.DONE
        stayed = many.journal.present_throughout(since, many.journal.seq)

        assert not stayed & (inventory.deleted() - before)
    many.faults.clear()
    last = inventory.run()

    assert done > 21
    assert last.proven
    assert inventory.live() == set(many.world.truth())


def test_images_pushed_to_the_next_page_are_duplicates(target: Target, many: Simulator) -> None:
    """Images that a restored image pushes to the next page come twice; they are counted and stored once."""
    inventory = Inventory(target, many, concurrency=1)
    many.world.delete(8)
    inventory.run()
    quiet = inventory.run()

    def push(_: object) -> None:
        many.world.restore(1)

    many.faults.before_answer = push
    outcome = inventory.run()
    many.faults.clear()
    inventory.run()

    assert outcome.proven
    assert outcome.duplicates > quiet.duplicates
    assert outcome.plan.deleted == 0
    assert inventory.live() == set(many.world.truth())


@pytest.mark.parametrize("nth", range(1, 8))
def test_an_image_that_goes_between_two_pages_hides_no_other(many: Simulator, nth: int) -> None:
    """If an early image is deleted between two pages, no image that moves up is missed."""
    seen = 0
    first = min(many.world.truth().values(), key=lambda image: str(image["created_at"]))

    def remove(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            many.world.remove(str(first["id"]))

    many.faults.before_answer = remove
    scan = next(scans(many, 1, concurrency=1))

    assert scan.verdict.complete
    assert not scan.missed


def test_two_replicas_that_disagree_delete_nothing(target: Target, many: Simulator) -> None:
    """Images that one lagging replica leaves out are looked up by id and kept."""
    inventory = Inventory(target, many, concurrency=1)
    inventory.run()
    images = many.world.truth()
    left_out = sorted(images, key=lambda identity: str(images[identity]["created_at"]))[:3]
    many.faults.add(gap(left_out))
    outcome = inventory.run()

    assert outcome.proven
    assert (outcome.missing, outcome.still_there, outcome.plan.deleted) == (3, 3, 0)
    assert set(left_out) <= inventory.live()
