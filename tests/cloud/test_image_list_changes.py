"""The cloud changes while it is read: what stayed is never missing from a proven list, and never deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest
from cloud_tools import Inventory, Reader, gap
from fault_rules import FaultySimulator
from servers import Server

from sync.domain.proof.verdict import ScanSummary, Verdict, prove
from sync.domain.status import Status
from sync.simulator import START, Simulator, World
from sync.simulator.catalog import Catalog
from sync.store.connection import Target


@pytest.fixture(scope="module")
def target(server_newest: Server) -> Target:
    """One database for all tests of this file; each syncs a source of its own."""
    return Target(server_newest.migrated())


@pytest.fixture
def many() -> Iterator[Simulator]:
    """A cloud of 120 images in pages of 20."""
    with FaultySimulator(World(seed=7, size=120), page_cap=20) as simulator:
        yield simulator


def chance(seed: int) -> Random:
    """A source of chance that is the same in every run."""
    return Random(seed)


def restless(cloud: Simulator, rng: Random, likely: float) -> Callable[[object], None]:
    """Before an answer, with some likelihood, one image comes, goes, comes back or changes."""
    world = cloud.world
    acts = (world.create, world.delete, world.restore, world.change)

    def act(_: object) -> None:
        if rng.random() < likely:
            rng.choice(acts)(1)

    return act


@dataclass(frozen=True)
class Scan:
    """One reading: its verdict, the ids that came, and which were missed although they were there all the time."""

    verdict: Verdict
    rows: list[str]
    missed: set[str]


def scans(cloud: Simulator, count: int, *, concurrency: int = 4) -> Iterator[Scan]:
    """So many readings of a cloud, one after the other."""
    reader = Reader.of(cloud, concurrency=concurrency)
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
    """Some hundred readings while the list changes at every other answer: nearly all are proven, none wrongly."""
    many.listing.unstable_ties = ties
    many.faults.before_answer = restless(many, chance(8), likely=0.5)
    proven = duplicates = 0
    for scan in scans(many, 100, concurrency=concurrency):
        proven += scan.verdict.complete
        duplicates += len(scan.rows) - len(set(scan.rows))

        assert not (scan.verdict.complete and scan.missed)

    assert proven > 90
    assert duplicates > 0


@pytest.mark.long
def test_change_among_ties_hides_nothing_from_a_proven_list() -> None:
    """Images that share their created_at change places in each answer, come and go: a join beside a tie is no proof."""
    world, catalog, rng = World(size=0), Catalog(chance(12)), chance(13)
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
    """More changes than pages overlap by: readings miss images, and none of those is proven, by count either."""
    rng = chance(9)

    def flood(_: object) -> None:
        many.world.restore(50)
        many.world.delete(rng.randrange(50))

    many.faults.before_answer = flood
    before: ScanSummary | None = None
    lost = 0
    for scan in scans(many, 100, concurrency=1):
        proof, before = prove(scan.verdict, len(set(scan.rows)), hash(frozenset(scan.rows)), before)
        lost += bool(scan.missed)

        assert not (proof.proven and scan.missed)

    assert lost > 5


def test_steady_change_deletes_nothing_that_stayed(target: Target, many: Simulator) -> None:
    """25 runs against a list that changes under them: what a run deletes was gone at some moment of it."""
    inventory = Inventory(target, many, max_deletions=1000, max_daily_deletions=1000)
    inventory.run()
    many.faults.before_answer = restless(many, chance(10), likely=0.6)
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


def test_what_is_pushed_along_comes_twice_and_is_counted(target: Target, many: Simulator) -> None:
    """Images that come back before the page in hand push others on to the next: these come twice, and are one row."""
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
    """An early image goes after each number of pages, and all behind it move up: none of them is missed."""
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
    """Behind the gateway one replica lags: what only its answer leaves out is asked for by name, and kept."""
    inventory = Inventory(target, many, concurrency=1)
    inventory.run()
    images = many.world.truth()
    unseen = sorted(images, key=lambda identity: str(images[identity]["created_at"]))[:3]
    many.faults.add(gap(unseen))
    outcome = inventory.run()

    assert outcome.proven
    assert (outcome.missing, outcome.still_there, outcome.plan.deleted) == (3, 3, 0)
    assert set(unseen) <= inventory.live()
