"""The cloud changes while it is read: what stayed is never missing from a proven list, and never deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest
from cloud_tools import Inventory, Reader
from servers import Server

from sync.domain.plan import Status
from sync.domain.proof import Tally, judge
from sync.simulator import Simulator, World
from sync.store.connect import Target

CAPS = (20, 30, 50)


@pytest.fixture(scope="module")
def target(server_newest: Server) -> Target:
    """One database for all tests of this file; each syncs a source of its own."""
    return Target(server_newest.migrated())


@pytest.fixture
def many() -> Iterator[Simulator]:
    """A cloud of 120 images in pages of 20."""
    with Simulator(World(seed=7, size=120), page_cap=20) as simulator:
        yield simulator


def chance(seed: int) -> Random:
    """A source of chance that is the same in every run."""
    return Random(seed)  # noqa: S311 - no secret depends on it


def restless(cloud: Simulator, rng: Random, likely: float) -> Callable[[object], None]:
    """Before an answer, with some likelihood, one image comes, goes, comes back or changes."""
    world = cloud.world
    acts = (world.create, world.delete, world.restore, world.change)

    def act(_: object) -> None:
        if rng.random() < likely:
            rng.choice(acts)(1)

    return act


def missed(cloud: Simulator, reader: Reader, since: int) -> set[str]:
    """Which images were there from the first question to the last answer, and did not come."""
    return cloud.journal.present_throughout(since, cloud.journal.seq) - set(reader.rows)


@pytest.mark.slow
@pytest.mark.parametrize("ties", [False, True], ids=["steady ties", "shuffled ties"])
def test_steady_change_hides_nothing_from_a_proven_list(many: Simulator, ties: bool) -> None:  # noqa: FBT001 - both
    """Some 200 readings while the list changes at every other answer: nearly all are proven, none of them wrongly."""
    many.listing.unstable_ties = ties
    rng, proven, duplicates = chance(8), 0, 0
    many.faults.before_answer = restless(many, rng, likely=0.5)
    for number in range(200):
        many.listing.page_cap = CAPS[number % len(CAPS)]
        reader, since = Reader.of(many, concurrency=rng.choice((1, 4))), many.journal.seq
        verdict = reader.read().verdict
        proven += verdict.complete
        duplicates += len(reader.rows) - len(set(reader.rows))

        assert not (verdict.complete and missed(many, reader, since))

    assert proven > 180
    assert duplicates > 0


@pytest.mark.slow
def test_a_flood_of_changes_is_never_wrongly_proven(many: Simulator) -> None:
    """More changes than pages overlap by: many readings are not proven, and none wrongly, by anchors or by count."""
    rng, lost = chance(9), 0

    def flood(_: object) -> None:
        many.world.delete(rng.randrange(8))
        many.world.restore(rng.randrange(8))
        many.world.create(rng.randrange(3))

    many.faults.before_answer = flood
    before: Tally | None = None
    for _ in range(60):
        reader, since = Reader.of(many), many.journal.seq
        verdict = reader.read().verdict
        fingerprint = hash(frozenset(reader.rows))
        proof, before = judge(verdict, len(set(reader.rows)), fingerprint, before)
        gone = missed(many, reader, since)
        lost += bool(gone)

        assert not (proof.proven and gone)

    assert lost > 0


@pytest.mark.slow
def test_steady_change_deletes_nothing_that_stayed(target: Target, many: Simulator) -> None:
    """40 runs against a list that changes under them: what a run deletes was gone at some moment of it."""
    inventory = Inventory(target, many, guard_images=1000, daily_images=1000)
    inventory.run()
    many.faults.before_answer = restless(many, chance(10), likely=0.6)
    done = 0
    for _ in range(40):
        since, before = many.journal.seq, inventory.deleted()
        outcome = inventory.run()
        done += outcome.status is Status.DONE
        stayed = many.journal.present_throughout(since, many.journal.seq)

        assert not stayed & (inventory.deleted() - before)
    many.faults.clear()
    last = inventory.run()

    assert done > 36
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
    reader, since, seen = Reader.of(many, concurrency=1), many.journal.seq, 0
    first = min(many.world.truth().values(), key=lambda image: str(image["created_at"]))

    def remove(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            many.world.remove(str(first["id"]))

    many.faults.before_answer = remove
    verdict = reader.read().verdict

    assert verdict.complete
    assert not missed(many, reader, since)


def test_two_replicas_that_disagree_delete_nothing(target: Target, many: Simulator) -> None:
    """Behind the gateway one replica lags: an image that only every other answer shows is never deleted."""
    from cloud_tools import gap  # noqa: PLC0415

    inventory = Inventory(target, many)
    inventory.run()
    unseen = chance(11).sample(sorted(many.world.truth()), 5)
    for nth in (1, 3, 5, 7):
        many.faults.add(gap(unseen), nth=nth)
    outcome = inventory.run()

    assert outcome.plan.deleted == 0
    assert set(unseen) <= inventory.live()
